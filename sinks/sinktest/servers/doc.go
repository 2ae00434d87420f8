// Package servers starts real servers for tests: object stores, and a proxy
// that breaks connections. Each is a process of its own on loopback, with a
// free port and a folder of the test's, and is killed by the test's cleanup,
// or with the test's process if that dies first. What it wrote to its output
// is logged where the test fails.
//
//	s3 := servers.S3(t)
//	s3.CreateBucket(t, "lake")
//	s3.Setenv(t) // the credentials, as a user exports them
//	sink, err := parquet.Open(ctx, parquet.Options{Bucket: s3.URL("lake")})
//
// The servers are installed once, at pinned versions, into a folder of the
// user's cache; several processes may want the same one at the same time. A
// test is skipped, with the reason, where that cannot be done because nothing
// answers on the network or the tool that installs is not there; with CI in
// the environment it fails instead. The first installation compiles large
// programs: give it some minutes, once, with
//
//	go test -run TestInstall -timeout 30m ./sinks/sinktest/servers
package servers
