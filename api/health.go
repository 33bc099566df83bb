package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Check is a part that must answer before this process takes requests.
type Check struct {
	Name  string
	Probe func(ctx context.Context) error
}

// Health answers the questions of a load balancer.
type Health struct {
	Checks   []Check
	Draining func() bool // told to stop: takes nothing new, finishes what runs
}

const probeTime = 2 * time.Second

// Register implements Registrar.
func (h *Health) Register(r Routes) {
	r.HandleRoute(Route{Method: http.MethodGet, Path: "/healthz", Action: Public, Answers: JSON}, h.alive)
	r.HandleRoute(Route{Method: http.MethodGet, Path: "/readyz", Action: Public, Answers: JSON}, h.ready)
}

func (h *Health) alive(c *gin.Context) { c.JSON(http.StatusOK, map[string]string{"status": "up"}) }

// ready names each part and whether it is up; why one is down is for the log.
func (h *Health) ready(c *gin.Context) {
	status, parts := http.StatusOK, map[string]string{}
	if h.Draining != nil && h.Draining() {
		status, parts["process"] = http.StatusServiceUnavailable, "draining"
	}
	for _, check := range h.Checks {
		ctx, cancel := context.WithTimeout(c.Request.Context(), probeTime)
		err := check.Probe(ctx)
		cancel()
		parts[check.Name] = "up"
		if err != nil {
			status, parts[check.Name] = http.StatusServiceUnavailable, "down"
			Warn(c, "a part is not ready: "+check.Name, err)
		}
	}
	c.JSON(status, parts)
}
