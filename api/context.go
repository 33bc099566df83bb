package api

import (
	"net/netip"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

const (
	keyEngine    = "televisit.engine"
	keyRoute     = "televisit.route"
	keyRequest   = "televisit.request"
	keyNonce     = "televisit.nonce"
	keyPrincipal = "televisit.principal"
)

// PrincipalOf is who is signed in; the zero Principal when nobody is.
func PrincipalOf(c *gin.Context) identity.Principal {
	p, _ := c.Value(keyPrincipal).(identity.Principal)
	return p
}

// SignedIn tells whether somebody is.
func SignedIn(c *gin.Context) bool { return PrincipalOf(c).Org != uuid.Nil }

// SetPrincipal is for handlers that authenticate by themselves (bearer tokens).
func SetPrincipal(c *gin.Context, p identity.Principal) { c.Set(keyPrincipal, p) }

// ActorOf is who acts, from where, as the trail names it.
func ActorOf(c *gin.Context) audit.Actor {
	p := PrincipalOf(c)
	if p.Org == uuid.Nil {
		return audit.Actor{Kind: audit.Anonymous, IP: IP(c), RequestID: RequestID(c)}
	}
	return p.Actor(IP(c), RequestID(c))
}

// CallerOf is where the request comes from.
func CallerOf(c *gin.Context) identity.Caller {
	return identity.Caller{IP: IP(c), RequestID: RequestID(c)}
}

// IP is the caller's address. It may go to the trail only.
func IP(c *gin.Context) netip.Addr {
	addr, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// RequestID names this request in logs, in the trail and on error pages.
func RequestID(c *gin.Context) string { return c.GetString(keyRequest) }

// Nonce is this response's script nonce.
func Nonce(c *gin.Context) string { return c.GetString(keyNonce) }

// PathID is the UUID in the path, or ErrNotFound: an address that cannot exist is not a mistake to explain.
func PathID(c *gin.Context, name string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param(name))
	if err != nil {
		return uuid.Nil, ErrNotFound
	}
	return id, nil
}

// Allow asks the policy about one resource; a refusal is recorded. The organisation is the principal's own.
func Allow(c *gin.Context, action identity.Action, r identity.Resource) error {
	p := PrincipalOf(c)
	r.Org = p.Org
	err := identity.Can(p, action, r)
	if err != nil {
		recordRefusal(c, action, r, err)
	}
	return err
}

func engineOf(c *gin.Context) *Engine {
	e, _ := c.Value(keyEngine).(*Engine)
	return e
}

func routeOf(c *gin.Context) Route {
	r, _ := c.Value(keyRoute).(Route)
	return r
}
