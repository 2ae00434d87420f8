package servers

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

// AzureServer is an Azurite that keeps one account's containers in a folder.
type AzureServer struct {
	Addr     string // host:port
	Endpoint string // http://host:port/account
	Account  string
	Key      string // base64
}

// The account is one for a process: the driver reads its variables once.
var azureAccount, azureKey = "wolkpipe" + strings.ToLower(rand.Text()[:8]), base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text()))

// azuriteLock pins it. It is embedded, because tests of other packages run in
// other folders.
//
//go:embed testdata/azurite/package.json testdata/azurite/package-lock.json
var azuriteLock embed.FS

func azurite(t testing.TB) string {
	t.Helper()
	files, err := fs.Sub(azuriteLock, "testdata/azurite")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(npm(t, cacheFolder(t), "azurite", files), "node_modules", "azurite", "dist", "src", "blob", "main.js")
}

// Azure starts one. All those of a process have the same account.
func Azure(t testing.TB) *AzureServer {
	t.Helper()
	program := azurite(t)
	p := start(t, "/", func(addr string) *exec.Cmd {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("node", program, "--blobHost", host, "--blobPort", port, "--location", t.TempDir(),
			"--silent", "--skipApiVersionCheck", "--disableTelemetry")
		cmd.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+azureAccount+":"+azureKey)
		return cmd
	})
	return (&AzureServer{Account: azureAccount, Key: azureKey}).At(p.addr)
}

// At is the same server, reached at another address: that of a proxy.
func (s *AzureServer) At(addr string) *AzureServer {
	other := *s
	other.Addr, other.Endpoint = addr, "http://"+addr+"/"+s.Account
	return &other
}

// URL is what a user configures for a container.
func (s *AzureServer) URL(container string) string {
	return fmt.Sprintf("azblob://%s?protocol=http&domain=%s&localemu=true", container, url.QueryEscape(s.Addr))
}

// Env are the variables that give a process the credentials, as NAME=value.
func (s *AzureServer) Env() []string {
	return []string{"AZURE_STORAGE_ACCOUNT=" + s.Account, "AZURE_STORAGE_KEY=" + s.Key}
}

// Setenv gives them to this process, until the test ends. Its first opening
// of a container fixes what it then goes by.
func (s *AzureServer) Setenv(t testing.TB) { setenv(t, s.Env()) }

// CreateBucket makes a container.
func (s *AzureServer) CreateBucket(t testing.TB, name string) {
	t.Helper()
	credential, err := azblob.NewSharedKeyCredential(s.Account, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential(s.Endpoint, credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateContainer(t.Context(), name, nil); err != nil {
		t.Fatalf("making the container %s: %v", name, err)
	}
}
