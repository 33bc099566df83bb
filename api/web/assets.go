package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

// Assets are the bundled styles and scripts, addressed by their content.
type Assets struct {
	byName map[string]*asset // "app.js"
	byURL  map[string]*asset // "app.3kf9.js"
}

type asset struct {
	url, kind      string
	plain, gzipped []byte
}

func newAssets() *Assets { return &Assets{byName: map[string]*asset{}, byURL: map[string]*asset{}} }

func (a *Assets) add(name string, content []byte) error {
	sum := sha256.Sum256(content)
	ending := path.Ext(name)
	file := strings.TrimSuffix(name, ending) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ending
	packed, err := gzipped(content)
	if err != nil {
		return err
	}
	found := &asset{url: "/static/" + file, kind: mime.TypeByExtension(ending), plain: content, gzipped: packed}
	a.byName[name], a.byURL[file] = found, found
	return nil
}

func gzipped(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// URL is the address of the asset called name, or "" when there is none.
func (a *Assets) URL(name string) string {
	if found, ok := a.byName[name]; ok {
		return found.url
	}
	return ""
}

// Size is how many bytes the asset takes on the wire.
func (a *Assets) Size(name string) int {
	if found, ok := a.byName[name]; ok {
		return len(found.gzipped)
	}
	return 0
}

// Content is the asset as bundled.
func (a *Assets) Content(name string) []byte {
	if found, ok := a.byName[name]; ok {
		return found.plain
	}
	return nil
}

// Serve answers GET /static/:file.
func (a *Assets) Serve(c *gin.Context) { a.ServeHTTP(c.Writer, c.Request) }

// ServeHTTP answers with the asset of the last part of the path. The address changes with the content, so it is cached
// for good.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, ok := a.byURL[path.Base(r.URL.Path)]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h, body := w.Header(), found.plain
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = found.gzipped
	}
	_, _ = w.Write(body) // who left does not read it
}
