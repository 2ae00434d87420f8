package deploy_test

import "testing"

// TestInstall installs the Go programs that the other tests need.
func TestInstall(t *testing.T) {
	for _, module := range []string{helmModule, kubeconformModule, natsModule, composeModule, gatewayModule} {
		t.Run(module, func(t *testing.T) { goTool(t, module) })
	}
}
