package broker

func exports() string { return "" }
func publicAccountText() string {
	return "  PUBLIC { users: [{user: anonymous, password: x}] }\n"
}
