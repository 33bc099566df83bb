package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/televisit/televisit/api"
	"github.com/televisit/televisit/audit"
	"github.com/televisit/televisit/identity"
	"github.com/televisit/televisit/identity/phi"
	"github.com/televisit/televisit/identity/sso"
	"github.com/televisit/televisit/scheduling"
	"github.com/televisit/televisit/scheduling/visit"
)

// walkIn is how long a visit is that is booked from the chart for this moment.
const walkIn = 20 * time.Minute

// LaunchVisits are the commands and queries that a launch needs.
type LaunchVisits interface {
	VisitByAppointment(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (scheduling.VisitView, error)
	VisitByPatientNear(ctx context.Context, who audit.Actor, clinician, patient uuid.UUID, at time.Time) (scheduling.VisitView, error)
	PatientByReference(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (scheduling.PatientView, error)
	Patient(ctx context.Context, who audit.Actor, id uuid.UUID) (scheduling.PatientView, error)
	PatientVisits(ctx context.Context, who audit.Actor, patient uuid.UUID) ([]scheduling.VisitView, error)
	SavePatient(ctx context.Context, who audit.Actor, p scheduling.Patient) (uuid.UUID, error)
	Book(ctx context.Context, who audit.Actor, b scheduling.Booking) (scheduling.VisitView, error)
}

// Charts reads patients from the EHRs.
type Charts interface {
	Patient(ctx context.Context, org uuid.UUID, ehr string, ref phi.Text) (scheduling.Patient, error)
	FindPatients(ctx context.Context, org uuid.UUID, ehr string, q PatientQuery) ([]scheduling.Patient, error)
}

// LaunchDesk finds the visit that a launch from the chart means, or offers to begin one.
type LaunchDesk struct {
	Site   *Site
	Visits LaunchVisits
	Charts Charts
	Now    func() time.Time
}

// Register implements api.Registrar.
func (l *LaunchDesk) Register(r api.Routes) {
	r.Handle(http.MethodGet, "/launch/visit/:patient", identity.VisitStart, l.offer)
	r.Handle(http.MethodPost, "/launch/visit", identity.VisitStart, l.begin)
}

// Destination is the page that a launch leads to: the visit of its appointment; else the visit with its patient that is
// near; else the offer to begin one; without a patient the worklist.
func (l *LaunchDesk) Destination(ctx context.Context, who audit.Actor, launched sso.Result) (string, error) {
	if ref := launched.Context.Appointment; !ref.IsZero() {
		v, err := l.Visits.VisitByAppointment(ctx, who, launched.EHR, ref)
		if err == nil {
			return "/visits/" + v.ID.String(), nil
		}
		if !errors.Is(err, scheduling.ErrNotFound) {
			return "", err
		}
	}
	if launched.Context.Patient.IsZero() {
		return "/worklist", nil
	}
	patient, err := l.patient(ctx, who, launched.EHR, launched.Context.Patient)
	if err != nil {
		return "", err
	}
	v, err := l.Visits.VisitByPatientNear(ctx, who, who.ID, patient, l.Now())
	if err == nil {
		return "/visits/" + v.ID.String(), nil
	}
	if !errors.Is(err, scheduling.ErrNotFound) {
		return "", err
	}
	return "/launch/visit/" + patient.String(), nil
}

// patient is our id of the chart's patient. The chart is asked when we do not know the patient yet.
func (l *LaunchDesk) patient(ctx context.Context, who audit.Actor, ehr string, ref phi.Text) (uuid.UUID, error) {
	known, err := l.Visits.PatientByReference(ctx, who, ehr, ref)
	if err == nil {
		return known.ID, nil
	}
	if !errors.Is(err, scheduling.ErrNotFound) {
		return uuid.Nil, err
	}
	fresh, err := l.Charts.Patient(ctx, who.Org, ehr, ref)
	if err != nil {
		return uuid.Nil, err
	}
	return l.Visits.SavePatient(ctx, who, fresh)
}

func (l *LaunchDesk) offer(c *gin.Context) {
	id, err := api.PathID(c, "patient")
	if err != nil {
		api.Fail(c, err)
		return
	}
	view, err := l.offerOf(c, id)
	if err != nil {
		api.Fail(c, err)
		return
	}
	l.Site.Render(c, http.StatusOK, view)
}

func (l *LaunchDesk) offerOf(c *gin.Context, patient uuid.UUID) (*NoVisitView, error) {
	ctx, who := c.Request.Context(), api.ActorOf(c)
	p, err := l.Visits.Patient(ctx, who, patient)
	if err != nil {
		return nil, err
	}
	all, err := l.Visits.PatientVisits(ctx, who, patient)
	if err != nil {
		return nil, err
	}
	view := &NoVisitView{Patient: p.Name.Reveal(), BirthDate: p.BirthDate.Reveal(), Token: patient.String()}
	now := l.Now()
	for _, v := range all {
		open := v.State.Stage == visit.Booked || v.State.Stage == visit.Arrived || v.State.Stage == visit.InCall
		if open && v.Clinician.ID == who.ID && v.StartsAt.Sub(now).Abs() < 24*time.Hour {
			view.Candidates = append(view.Candidates, worklistRow(v, now))
		}
	}
	return view, nil
}

// begin books a visit for this moment and opens it.
func (l *LaunchDesk) begin(c *gin.Context) {
	patient, err := uuid.Parse(c.PostForm("launch"))
	if err != nil {
		api.Fail(c, api.ErrNotFound)
		return
	}
	who := api.ActorOf(c)
	if err := api.Allow(c, identity.VisitStart, identity.Resource{Clinician: who.ID}); err != nil {
		api.Fail(c, err)
		return
	}
	now := l.Now().UTC().Truncate(time.Minute)
	booked, err := l.Visits.Book(c.Request.Context(), who, scheduling.Booking{Clinician: who.ID, Patient: patient, StartsAt: now, EndsAt: now.Add(walkIn),
		Reason: phi.NewText(shortened(c.PostForm("reason"))), VisitType: "video"})
	var taken *scheduling.Taken
	if errors.As(err, &taken) {
		view, err := l.offerOf(c, patient)
		if err != nil {
			api.Fail(c, err)
			return
		}
		view.Busy = true
		l.Site.Render(c, http.StatusConflict, view)
		return
	}
	if err != nil {
		api.Fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/visits/"+booked.ID.String())
}

// shortened keeps a line of free text within what the schedule shows.
func shortened(s string) string {
	runes := []rune(s)
	return string(runes[:min(len(runes), 200)])
}
