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

// Serve answers GET /static/:file. The address changes with the content, so it is cached for good.
func (a *Assets) Serve(c *gin.Context) {
	found, ok := a.byURL[c.Param("file")]
	if !ok {
		c.Status(http.StatusNotFound)
		return
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Header("Vary", "Accept-Encoding")
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		c.Data(http.StatusOK, found.kind, found.gzipped)
		return
	}
	c.Data(http.StatusOK, found.kind, found.plain)
}
