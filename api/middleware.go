package api

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"strings"

	"github.com/gin-gonic/gin"
)

// begin names the request.
func (e *Engine) begin(c *gin.Context) {
	c.Set(keyEngine, e)
	id := random(12)
	c.Set(keyRequest, id)
	c.Header("X-Request-Id", id)
}

// random is n random bytes as URL-safe text.
func random(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// observe writes the access log and the metrics: route templates only, never an address or a URL.
func (e *Engine) observe(c *gin.Context) {
	began := e.deps.Now()
	e.metrics.inFlight.Inc()
	c.Next()
	e.metrics.inFlight.Dec()
	took, route := e.deps.Now().Sub(began), c.FullPath()
	if route == "" {
		route = "(none)"
	}
	status := c.Writer.Status()
	e.metrics.requests.WithLabelValues(route, method(c), fmt.Sprint(status)).Inc()
	if !routeOf(c).Stream {
		e.metrics.duration.WithLabelValues(route).Observe(took.Seconds())
	}
	e.deps.Log.Info("request", "method", method(c), "route", route, "status", status,
		"ms", float64(took.Microseconds())/1000, "bytes", max(c.Writer.Size(), 0), "request_id", RequestID(c))
}

// method keeps a made-up method out of the labels.
func method(c *gin.Context) string {
	switch m := c.Request.Method; m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}

// recovered answers after a panic. The panic's value may hold anything, so only its type and place are logged.
func (e *Engine) recovered(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // the sentinel itself is thrown
			panic(p)
		}
		e.deps.Log.Error("a handler panicked", "type", fmt.Sprintf("%T", p), "at", panicPlace(), "request_id", RequestID(c))
		if !c.Writer.Written() {
			Fail(c, errPanic)
		}
		c.Abort()
	}()
	c.Next()
}

// panicPlace lists the functions of this module on the panicking stack, innermost first.
func panicPlace() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	var place []string
	for {
		frame, more := frames.Next()
		if _, inside, ok := strings.Cut(frame.Function, "televisit/televisit/"); ok && len(place) < 6 {
			place = append(place, fmt.Sprintf("%s:%d", inside, frame.Line))
		}
		if !more {
			return strings.Join(place, " < ")
		}
	}
}

// headers says what a browser may do with the answer.
func (e *Engine) headers(c *gin.Context) {
	nonce := random(16)
	c.Set(keyNonce, nonce)
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", e.policy(nonce, c.FullPath()))
	h.Set("Strict-Transport-Security", "max-age=63072000")
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), picture-in-picture=(self), "+
		"speaker-selection=(self), screen-wake-lock=(self), autoplay=(self), geolocation=(), payment=(), usb=(), midi=(), serial=()")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make browsers send "Origin: null" with our own forms
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (e *Engine) policy(nonce, path string) string {
	ancestors := "'none'"
	if framed(path) && len(e.deps.EHROrigins) > 0 {
		ancestors = "'self' " + strings.Join(e.deps.EHROrigins, " ")
	}
	return "default-src 'none'; script-src 'self' 'nonce-" + nonce + "'; style-src 'self' 'nonce-" + nonce + "'; " +
		"img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; worker-src 'self' blob:; " +
		"connect-src 'self' wss://" + e.host + "; base-uri 'none'; form-action " +
		strings.Join(append([]string{"'self'"}, e.deps.SignOutOrigins...), " ") + "; frame-ancestors " + ancestors
}

// framed tells whether an EHR may show the page inside its own: what a launch from the chart leads to.
func framed(path string) bool {
	for _, prefix := range []string{"/launch", "/visits/", "/worklist"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
