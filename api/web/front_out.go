package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
)

// provenWithin is how long ago a proof of identity may be after somebody was asked to prove it again.
const provenWithin = 5 * time.Minute

// proveAgain sends somebody who is signed in to their identity provider before something that matters, and back.
func (f *FrontPages) proveAgain(c *gin.Context) {
	back := localPath(c.Query("next"), "/")
	to, err := f.Flows.BeginStepUp(c.Request.Context(), api.CallerOf(c), api.PrincipalOf(c).Connection, back, api.Browser(c), provenWithin)
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, to)
}

// begin begins a session in this browser. Who is signed in here already and proved it again the same way goes on from
// the session that they had: it ends, and the forms that are open in other tabs stay valid.
func (f *FrontPages) begin(c *gin.Context, who audit.Actor, session identity.Session) (identity.Principal, error) {
	ctx, before := c.Request.Context(), api.PrincipalOf(c)
	again := before.Staff != uuid.Nil && before.Staff == session.Staff && before.Org == who.Org && before.Connection == session.Connection
	if again {
		session.CSRF = before.CSRF
	}
	cookie, principal, err := f.Sessions.Begin(ctx, who, session)
	if err != nil {
		return principal, err
	}
	api.BeginSession(c, cookie)
	if again {
		err = f.Sessions.End(ctx, before, api.CallerOf(c))
	}
	return principal, err
}

func (f *FrontPages) logout(c *gin.Context) {
	p := api.PrincipalOf(c)
	if err := f.Sessions.End(c.Request.Context(), p, api.CallerOf(c)); err != nil {
		api.Fail(c, err)
		return
	}
	api.EndSession(c)
	to := f.Flows.LogoutURL(c.Request.Context(), p.Connection, f.Origin+"/")
	if to == "" {
		to = "/?over=out"
	}
	c.Redirect(http.StatusSeeOther, to)
}

// backChannelLogout ends the sessions of somebody whom the identity provider signed out (OIDC Back-Channel Logout 1.0
// section 2.5): those of its session, or all of the person's.
func (f *FrontPages) backChannelLogout(c *gin.Context) {
	ctx, from := c.Request.Context(), api.CallerOf(c)
	out, err := f.Flows.BackChannelLogout(ctx, from, c.Param("provider"), c.PostForm("logout_token"))
	if err != nil {
		api.Fail(c, &api.Statused{Status: http.StatusBadRequest, Err: err})
		return
	}
	if out.SessionID != "" {
		_, err = f.Sessions.EndIssuerSession(ctx, from, out.Org, out.Connection, out.SessionID)
	} else {
		var person identity.Staff
		if person, err = f.People.StaffBySubject(ctx, out.Org, out.Issuer, out.Subject); err == nil {
			_, err = f.Sessions.EndAll(ctx, audit.SystemActor(out.Org), person.ID)
		}
	}
	// Whom we do not know has no session here: that is what was asked for.
	if err != nil && !errors.Is(err, identity.ErrNoStaff) {
		api.Fail(c, err)
		return
	}
	c.Status(http.StatusOK)
}
