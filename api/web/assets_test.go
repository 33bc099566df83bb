package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestAssetsAreServedWholeAndCachedForGood(t *testing.T) {
	assets := newSite(t).Assets()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/static/:file", assets.Serve)
	for _, name := range []string{"app.css", "patient.css", "shell.js", "worklist.js", "schedule.js", "mark.svg"} {
		request := httptest.NewRequest(http.MethodGet, assets.URL(name), nil)
		request.Header.Set("Accept-Encoding", "gzip, br")
		answer := httptest.NewRecorder()
		engine.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Encoding") != "gzip" || answer.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Fatalf("%s: %d %v", name, answer.Code, answer.Header())
		}
		unpacked, err := gzip.NewReader(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(unpacked)
		if err != nil || !bytes.Equal(content, assets.Content(name)) {
			t.Errorf("%s differs when it is unpacked: %v", name, err)
		}
	}
	answer := httptest.NewRecorder()
	engine.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/static/app.old.css", nil))
	if answer.Code != http.StatusNotFound {
		t.Errorf("an old address answers %d", answer.Code)
	}
}
