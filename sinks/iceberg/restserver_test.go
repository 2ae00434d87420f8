package iceberg

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// restFault is what the catalog does to one commit.
type restFault struct {
	apply  bool // before it fails
	status int  // of the answer; 0 cuts the connection
	later  bool // it is applied all the same, before the next commit is looked at
}

// restCatalog is a REST catalog of a few tables, whose metadata are files.
type restCatalog struct {
	root string
	url  string

	mu         sync.Mutex
	namespaces map[string]bool
	tables     map[string]string // locations of metadata, by namespace and name
	commits    int               // commits that were applied

	late []func() // what is applied before the next commit

	// fault says what happens to the n-th commit, from 1; nil for none.
	fault func(table string, n int) *restFault
	sent  int
}

func newRESTCatalog(t testing.TB) *restCatalog {
	c := &restCatalog{root: t.TempDir(), namespaces: map[string]bool{}, tables: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/config", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{}})
	})
	mux.HandleFunc("POST /v1/namespaces", c.createNamespace)
	mux.HandleFunc("GET /v1/namespaces/{ns}", c.loadNamespace)
	mux.HandleFunc("HEAD /v1/namespaces/{ns}", c.loadNamespace)
	mux.HandleFunc("POST /v1/namespaces/{ns}/tables", c.createTable)
	mux.HandleFunc("GET /v1/namespaces/{ns}/tables/{table}", c.loadTable)
	mux.HandleFunc("POST /v1/namespaces/{ns}/tables/{table}", c.commitTable)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *restCatalog) lake() lakeAt { return lakeAt{Options{Catalog: c.url, MaintainEvery: -1}} }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, kind string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": err.Error(), "type": kind, "code": status}})
}

var errMissing = errors.New("it does not exist")

func (c *restCatalog) createNamespace(w http.ResponseWriter, r *http.Request) {
	var in struct{ Namespace []string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, 400, "BadRequestException", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := strings.Join(in.Namespace, "\x1f")
	if c.namespaces[name] {
		refuse(w, 409, "AlreadyExistsException", errors.New("it exists"))
		return
	}
	c.namespaces[name] = true
	answer(w, map[string]any{"namespace": in.Namespace, "properties": map[string]string{}})
}

func (c *restCatalog) loadNamespace(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.namespaces[r.PathValue("ns")] {
		refuse(w, 404, "NoSuchNamespaceException", errMissing)
		return
	}
	answer(w, map[string]any{"namespace": strings.Split(r.PathValue("ns"), "\x1f"), "properties": map[string]string{}})
}

func (c *restCatalog) createTable(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name          string                 `json:"name"`
		Schema        *iceberg.Schema        `json:"schema"`
		PartitionSpec *iceberg.PartitionSpec `json:"partition-spec"`
		WriteOrder    *table.SortOrder       `json:"write-order"`
		Properties    iceberg.Properties     `json:"properties"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, 400, "BadRequestException", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ns := r.PathValue("ns")
	key := ns + "/" + in.Name
	switch {
	case !c.namespaces[ns]:
		refuse(w, 404, "NoSuchNamespaceException", errMissing)
		return
	case c.tables[key] != "":
		refuse(w, 409, "AlreadyExistsException", errors.New("it exists"))
		return
	}
	meta, err := table.NewMetadata(in.Schema, in.PartitionSpec, *in.WriteOrder, "file://"+filepath.Join(c.root, ns, in.Name), in.Properties)
	if err == nil {
		err = c.put(key, meta)
	}
	if err != nil {
		refuse(w, 400, "BadRequestException", err)
		return
	}
	answer(w, map[string]any{"metadata-location": c.tables[key], "metadata": meta, "config": map[string]string{}})
}

// put writes a table's metadata, and makes them the table's.
func (c *restCatalog) put(key string, meta table.Metadata) error {
	data, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	path := filepath.Join(strings.TrimPrefix(meta.Location(), "file://"), "metadata", fmt.Sprintf("%05d-%s.metadata.json", c.commits, uuid.NewString()))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	c.tables[key] = "file://" + path
	return nil
}

func (c *restCatalog) get(key string) (table.Metadata, error) {
	data, err := os.ReadFile(strings.TrimPrefix(c.tables[key], "file://"))
	if err != nil {
		return nil, err
	}
	return table.ParseMetadataBytes(data)
}

func (c *restCatalog) loadTable(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := r.PathValue("ns") + "/" + r.PathValue("table")
	if c.tables[key] == "" {
		refuse(w, 404, "NoSuchTableException", errMissing)
		return
	}
	meta, err := c.get(key)
	if err != nil {
		refuse(w, 500, "InternalServerError", err)
		return
	}
	answer(w, map[string]any{"metadata-location": c.tables[key], "metadata": meta, "config": map[string]string{}})
}

func (c *restCatalog) commitTable(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Requirements table.Requirements `json:"requirements"`
		Updates      table.Updates      `json:"updates"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, 400, "BadRequestException", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	var fault *restFault
	if c.fault != nil {
		fault = c.fault(r.PathValue("table"), c.sent)
	}
	for _, f := range c.late {
		f()
	}
	c.late = nil
	key := r.PathValue("ns") + "/" + r.PathValue("table")
	if fault != nil && !fault.apply {
		if fault.later {
			c.late = append(c.late, func() { _, _ = c.commit(key, in.Requirements, in.Updates) })
		}
		fail(w, fault.status)
		return
	}
	meta, err := c.commit(key, in.Requirements, in.Updates)
	switch {
	case errors.Is(err, errMoved):
		refuse(w, 409, "CommitFailedException", err)
	case err != nil:
		refuse(w, 400, "BadRequestException", err)
	case fault != nil:
		fail(w, fault.status)
	default:
		answer(w, map[string]any{"metadata-location": c.tables[key], "metadata": meta})
	}
}

// fail answers with a status, or with none.
func fail(w http.ResponseWriter, status int) {
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	refuse(w, status, "ServiceFailure", errors.New("injected"))
}

var errMoved = errors.New("a requirement does not hold")

func (c *restCatalog) commit(key string, requirements table.Requirements, updates table.Updates) (table.Metadata, error) {
	meta, err := c.get(key)
	if err != nil {
		return nil, err
	}
	for _, r := range requirements {
		if err := r.Validate(meta); err != nil {
			return nil, fmt.Errorf("%w: %w", errMoved, err)
		}
	}
	b, err := table.MetadataBuilderFromBase(meta, c.tables[key])
	if err != nil {
		return nil, err
	}
	for _, u := range updates {
		if err := u.Apply(b); err != nil {
			return nil, err
		}
	}
	if meta, err = b.Build(); err != nil {
		return nil, err
	}
	c.commits++
	return meta, c.put(key, meta)
}
