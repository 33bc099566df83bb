package web

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/identity"
)

// Boundary tells where health information travels, made from the running configuration.
type Boundary interface {
	Hops(ctx context.Context) ([]HopView, error)
}

// BoundaryPages show the map of the PHI boundary.
type BoundaryPages struct {
	Site     *Site
	Boundary Boundary
	Version  string
	Now      func() time.Time
}

// Register implements api.Registrar.
func (b *BoundaryPages) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/boundary", identity.BoundaryView, b.page)
}

func (b *BoundaryPages) page(c *gin.Context) {
	hops, err := b.Boundary.Hops(c.Request.Context())
	if err != nil {
		api.Fail(c, err)
		return
	}
	b.Site.Render(c, http.StatusOK, BoundaryMap(hops, b.Now().UTC(), b.Version))
}
