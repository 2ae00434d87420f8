package iceberg

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "gocloud.dev/blob/s3blob"

	"wolkpipe/sinks"
	"wolkpipe/sinks/parquet"
	"wolkpipe/sinks/sinktest"
	"wolkpipe/sinks/sinktest/servers"
)

// BenchmarkReplay fills an empty bucket with a year of one operation, as a sink
// does that is added to a journal: as objects, and as tables whose catalog is a
// file. The heap is the whole test's, its journal of 105,120 windows included.
func BenchmarkReplay(b *testing.B) {
	for name, run := range map[string]struct {
		workers int
		open    func(b *testing.B, server *servers.S3Server) sinks.Sink
	}{
		"parquet": {2, func(b *testing.B, server *servers.S3Server) sinks.Sink {
			s, err := parquet.Open(b.Context(), parquet.Options{Bucket: server.URL("lake")})
			if err != nil {
				b.Fatal(err)
			}
			return s
		}},
		"iceberg": {32, func(b *testing.B, server *servers.S3Server) sinks.Sink {
			at := sqliteLake(b)
			at.options.Warehouse = "s3://lake/warehouse"
			at.options.Properties = map[string]string{"s3.endpoint": server.Endpoint, "s3.region": server.Region, "s3.force-virtual-addressing": "false"}
			return at.Open(b)
		}},
	} {
		b.Run(name, func(b *testing.B) {
			server := servers.S3(b)
			server.CreateBucket(b, "lake")
			server.Setenv(b)
			var requests atomic.Int64
			upstream := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server.Addr})
			counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				upstream.ServeHTTP(w, r)
			}))
			b.Cleanup(counting.Close)
			source, days := sinktest.NewSource(), make(chan sinks.Key, 365)
			for n := range 365 {
				busyDay(source, keyAt(n-365))
				days <- keyAt(n - 365)
			}
			close(days)
			for b.Loop() {
				s := run.open(b, server.At(strings.TrimPrefix(counting.URL, "http://")))
				begin := time.Now()
				peak := converge(b, s, source, days, run.workers)
				b.ReportMetric(time.Since(begin).Seconds(), "s/year")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(requests.Load()), "requests")
				b.ReportMetric(float64(peak)/(1<<20), "MB-heap")
				objects, bytes := listed(b, server)
				b.ReportMetric(float64(objects), "objects")
				b.ReportMetric(float64(bytes)/(1<<20), "MB")
			}
		})
	}
}

// converge converges days, and gives the largest heap that was seen.
func converge(b *testing.B, s sinks.Sink, source sinks.Source, days <-chan sinks.Key, workers int) (peak uint64) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for range workers {
		all.Go(func() {
			for key := range days {
				if _, _, err := sinks.Converge(b.Context(), s, source, key); err != nil {
					b.Error(err)
					return
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				mu.Lock()
				peak = max(peak, m.HeapAlloc)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return peak
}

// listed counts what is in the bucket.
func listed(b *testing.B, server *servers.S3Server) (objects int, bytes int64) {
	bucket := "lake"
	pages := s3.NewListObjectsV2Paginator(server.Client(), &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range page.Contents {
			objects++
			bytes += *o.Size
		}
	}
	return objects, bytes
}
