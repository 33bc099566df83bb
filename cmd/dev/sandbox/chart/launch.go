package chart

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
	"github.com/televisit/televisit/cmd/dev/sandbox/smart"
)

// launchVisit makes a launch for an appointment and sends the browser to the application.
func (u *UI) launchVisit(w http.ResponseWriter, r *http.Request) {
	appointment, ok := u.config.Store.Get("Appointment", r.PathValue("appointment"))
	patient := ""
	if ok {
		patient = participantID(appointment, "Patient/")
	}
	if patient == "" {
		u.fail(w, r, http.StatusNotFound, "There is no such appointment.")
		return
	}
	u.launch(w, r, smart.Launch{Patient: patient, Appointment: appointment.ID})
}

// launchPatient makes a launch for a patient without an appointment.
func (u *UI) launchPatient(w http.ResponseWriter, r *http.Request) {
	patient, ok := u.config.Store.Get("Patient", r.PathValue("patient"))
	if !ok {
		u.fail(w, r, http.StatusNotFound, "There is no such patient.")
		return
	}
	u.launch(w, r, smart.Launch{Patient: patient.ID})
}

func (u *UI) launch(w http.ResponseWriter, r *http.Request, launch smart.Launch) {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		u.fail(w, r, http.StatusForbidden, "Applications are launched from the chart.")
		return
	}
	app, ok := u.app(r.URL.Query().Get("app"))
	user, signedIn := u.user(r)
	if !ok || !signedIn {
		u.fail(w, r, http.StatusNotFound, "There is no such application.")
		return
	}
	launch.ClientID, launch.Subject = app.ID, user.Subject
	to, err := url.Parse(app.LaunchURL)
	if err != nil {
		u.fail(w, r, http.StatusInternalServerError, "The application is not configured.")
		return
	}
	query := to.Query()
	query.Set("iss", u.config.FHIRBase)
	query.Set("launch", u.config.SMART.NewLaunch(launch))
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// visitFrame shows an application inside the chart.
func (u *UI) visitFrame(w http.ResponseWriter, r *http.Request) {
	v, ok := u.config.Store.Get("Appointment", r.PathValue("id"))
	app, appOK := u.app(r.URL.Query().Get("app"))
	if !ok || !appOK {
		u.fail(w, r, http.StatusNotFound, "There is no such appointment.")
		return
	}
	patient, ok := u.config.Store.Get("Patient", participantID(v, "Patient/"))
	if !ok {
		u.fail(w, r, http.StatusNotFound, "There is no such patient.")
		return
	}
	origin, err := url.Parse(app.LaunchURL)
	if err != nil {
		u.fail(w, r, http.StatusInternalServerError, "The application is not configured.")
		return
	}
	host := origin.Scheme + "://" + origin.Host
	var allow []string
	// A hospital that forgot to delegate the camera is a case of its own to test: ?camera=off.
	if r.URL.Query().Get("camera") != "off" {
		for _, feature := range []string{"camera", "microphone", "display-capture", "fullscreen", "autoplay"} {
			allow = append(allow, feature+" "+host)
		}
	}
	u.render(w, r, http.StatusOK, "frame", app.Name, frameData{App: app, Visit: visitOf(v), Patient: u.patientOf(patient), Allow: strings.Join(allow, "; ")})
}

type frameData struct {
	App     App
	Visit   visit
	Patient patientView
	Allow   string
}

// choosePage lets the user pick the patient of a standalone launch.
func (u *UI) choosePage(w http.ResponseWriter, r *http.Request) {
	u.render(w, r, http.StatusOK, "choose", "Choose a patient", chooseData{Request: r.URL.Query().Get("request"), Query: r.URL.Query().Get("q"), Patients: u.findPatients(r.URL.Query().Get("q"))})
}

type chooseData struct {
	Request, Query string
	Patients       []patientView
}

func (u *UI) choose(w http.ResponseWriter, r *http.Request) {
	if _, ok := u.config.Store.Get("Patient", r.PostFormValue("patient")); !ok {
		u.fail(w, r, http.StatusNotFound, "There is no such patient.")
		return
	}
	next, err := u.config.SMART.ChoosePatient(r, r.PostFormValue("request"), r.PostFormValue("patient"))
	if err != nil {
		u.fail(w, r, http.StatusBadRequest, "The sign-in has expired. Start again from the application.")
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func participantID(v *fhirserver.Version, prefix string) string {
	for _, reference := range references(v.Parsed(), "participant", "actor") {
		if id, ok := strings.CutPrefix(reference, prefix); ok {
			return id
		}
	}
	return ""
}
