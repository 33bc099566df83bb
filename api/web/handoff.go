package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// A page in an EHR's frame has a session that is partitioned to that frame: a window of its own is signed out. These
// three routes carry the sign-in over. The new session's secret travels in the fragment of an address, which no server
// and no log sees, and the person confirms in the new window who they are, so that nobody can be signed in as somebody
// else unawares.

// HandOffView asks in the new window whether to go on.
type HandOffView struct{}

// Template names the page.
func (*HandOffView) Template() string { return "public/handoff" }

// handOff begins a second session for the person who is signed in.
func (f *FrontPages) handOff(c *gin.Context) {
	p := api.PrincipalOf(c)
	if p.Staff == uuid.Nil {
		api.Fail(c, api.ErrNotFound)
		return
	}
	cookie, _, err := f.Sessions.Begin(c.Request.Context(), api.ActorOf(c), identity.Session{Kind: audit.Staff, Staff: p.Staff, Roles: p.Roles,
		Connection: p.Connection, Grant: p.Grant, AuthTime: p.AuthTime})
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.JSON(http.StatusOK, map[string]string{"url": "/handoff#" + cookie})
}

func (f *FrontPages) handOffPage(c *gin.Context) { f.Site.Render(c, http.StatusOK, &HandOffView{}) }

// handOffWho tells the new window whose session it was given.
func (f *FrontPages) handOffWho(c *gin.Context) {
	p, err := f.Sessions.Lookup(c.Request.Context(), c.PostForm("secret"))
	if err != nil || p.Staff == uuid.Nil {
		api.Fail(c, api.ErrGone)
		return
	}
	person, err := f.Staff.Staff(c.Request.Context(), p.Actor(api.IP(c), api.RequestID(c)), p.Staff)
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.JSON(http.StatusOK, map[string]string{"name": person.Name.Reveal()})
}

// handOffAccept signs the new window in and opens the page that was meant.
func (f *FrontPages) handOffAccept(c *gin.Context) {
	secret := c.PostForm("secret")
	if p, err := f.Sessions.Lookup(c.Request.Context(), secret); err != nil || p.Staff == uuid.Nil {
		api.Fail(c, api.ErrGone)
		return
	}
	api.BeginSession(c, secret)
	c.JSON(http.StatusOK, map[string]string{"url": localPath(c.PostForm("next"), "/")})
}
