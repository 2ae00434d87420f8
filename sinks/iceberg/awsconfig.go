package iceberg

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/utils"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// idleConns bounds the connections to S3 that stay open between two uses.
const idleConns = 64

// shareAWS reads the configuration of AWS once, with one HTTP client, for
// tables on S3. By itself the library makes both anew for each table that it
// loads: certificates are read again, and connections stay open behind.
func (s *store) shareAWS(ctx context.Context, o *Options) error {
	u, err := url.Parse(o.Warehouse)
	if err != nil || !strings.HasPrefix(u.Scheme, "s3") || o.Properties[io.S3ProxyURI] != "" || o.Properties[io.S3ConnectTimeout] != "" {
		return nil // what those say, the library knows how to do
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = idleConns, idleConns
	})
	c, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{})) // what matters is in errors
	if err != nil {
		return err
	}
	// AWS_CA_BUNDLE and the like have made a client of the same kind.
	if made, ok := c.HTTPClient.(*awshttp.BuildableClient); ok {
		client = made.WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = idleConns, idleConns
		})
	}
	c.HTTPClient = client
	s.aws = &c
	return nil
}

// with gives the library what it would make by itself: region and keys that
// stand in properties still come before it.
func (s *store) with(ctx context.Context) context.Context {
	if s.aws == nil {
		return ctx
	}
	return utils.WithAwsConfig(ctx, s.aws)
}
