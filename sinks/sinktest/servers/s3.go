package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	versitygw        = "github.com/versity/versitygw/cmd/versitygw"
	versitygwVersion = "v1.8.0"
)

// S3Server is a versitygw that keeps its buckets in a folder.
type S3Server struct {
	Addr      string // host:port
	Endpoint  string // http://host:port
	Region    string
	AccessKey string
	SecretKey string

	program string
}

// S3 starts one, with an administrator whose keys are made up anew.
func S3(t testing.TB) *S3Server {
	t.Helper()
	s := &S3Server{Region: "us-east-1", AccessKey: rand.Text(), SecretKey: rand.Text(), program: Tool(t, versitygw, versitygwVersion)}
	dir := t.TempDir()
	for _, sub := range []string{"buckets", "users"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, "/health", func(addr string) *exec.Cmd {
		// The cache of users would hide one that is made later.
		cmd := exec.Command(s.program, "--port", addr, "--region", s.Region, "--health", "/health", "--quiet", "--keep-alive",
			"--iam-dir", filepath.Join(dir, "users"), "--iam-cache-disable", "posix", filepath.Join(dir, "buckets"))
		cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
		return cmd
	})
	return s.At(p.addr)
}

// At is the same server, reached at another address: that of a proxy.
func (s *S3Server) At(addr string) *S3Server {
	other := *s
	other.Addr, other.Endpoint = addr, "http://"+addr
	return &other
}

// URL is what a user configures for a bucket.
func (s *S3Server) URL(bucket string) string {
	return fmt.Sprintf("s3://%s?region=%s&endpoint=%s&use_path_style=true", bucket, s.Region, url.QueryEscape(s.Endpoint))
}

// Env are the variables that give a process the credentials, as NAME=value.
func (s *S3Server) Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey, "AWS_SESSION_TOKEN=",
		"AWS_EC2_METADATA_DISABLED=true"}
}

// Setenv gives them to this process, until the test ends.
func (s *S3Server) Setenv(t testing.TB) { setenv(t, s.Env()) }

// Client is an SDK's, with the server's credentials.
func (s *S3Server) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: s.Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	})
}

// CreateBucket makes a bucket.
func (s *S3Server) CreateBucket(t testing.TB, name string) {
	t.Helper()
	if _, err := s.Client().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("making the bucket %s: %v", name, err)
	}
}

// Reader makes a user who may list a bucket and read what is in it, and no
// more, and gives the server with that user's credentials.
func (s *S3Server) Reader(t testing.TB, bucket string) *S3Server {
	t.Helper()
	user := *s
	user.AccessKey, user.SecretKey = rand.Text(), rand.Text()
	cmd := exec.CommandContext(t.Context(), s.program, "admin", "--endpoint-url", s.Endpoint, "--region", s.Region,
		"create-user", "--access", user.AccessKey, "--secret", user.SecretKey, "--role", "user")
	cmd.Env = append(os.Environ(), "ADMIN_ACCESS_KEY_ID="+s.AccessKey, "ADMIN_SECRET_ACCESS_KEY="+s.SecretKey,
		"ADMIN_ACCESS_KEY="+s.AccessKey, "ADMIN_SECRET_KEY="+s.SecretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making a user: %v\n%s", err, out)
	}
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": [%q]},
		"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::%s", "arn:aws:s3:::%s/*"]}]}`, user.AccessKey, bucket, bucket)
	if _, err := s.Client().PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}); err != nil {
		t.Fatalf("letting the user read %s: %v", bucket, err)
	}
	return &user
}
