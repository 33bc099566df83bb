package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/scheduling"
)

// Proof says how long ago signers may have proven who they are. The zero Proof asks for nothing beyond the session.
type Proof struct {
	Within time.Duration
	// Again tells whether somebody who came by this connection can be asked again: an identity provider can, a launch
	// from an EHR cannot.
	Again func(org uuid.UUID, connection string) bool
}

// proofTooOld tells whether the signer has to prove again who they are.
func (p *VisitPages) proofTooOld(c *gin.Context) bool {
	who := api.PrincipalOf(c)
	return p.Proof.Within > 0 && p.Proof.Again != nil && p.Now().Sub(who.AuthTime) > p.Proof.Within && p.Proof.Again(who.Org, who.Connection)
}

// proveAt is where the proof is given; it leads back to a page of the visit.
func proveAt(back string) string { return "/prove-again?" + url.Values{"next": {back}}.Encode() }

// proveFirst sends the signer of a note to prove again who they are, and back to the review: the draft is kept here.
func (p *VisitPages) proveFirst(c *gin.Context, v scheduling.VisitView) bool {
	if !p.proofTooOld(c) {
		return false
	}
	c.Redirect(http.StatusSeeOther, proveAt(workspace(v)+"/review"))
	return true
}

// noteOldProof keeps in the trail that a signature was not taken.
func (p *VisitPages) noteOldProof(c *gin.Context, v scheduling.VisitView, wanted identity.Action) error {
	return p.Trail.Record(c.Request.Context(), api.ActorOf(c), audit.Event{Action: "access.refused", Outcome: audit.Refused, Visit: v.ID,
		Detail: map[string]any{"wanted": string(wanted), "route": c.FullPath(), "code": "proof-too-old"}})
}
