package chart

import (
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/televisit/televisit/cmd/dev/sandbox/accounts"
	"github.com/televisit/televisit/cmd/dev/sandbox/faults"
	"github.com/televisit/televisit/cmd/dev/sandbox/fhirserver"
	"github.com/televisit/televisit/cmd/dev/sandbox/smart"
)

//go:embed templates static
var files embed.FS

// Authorization is what the chart asks of the SMART authorization server.
type Authorization interface {
	NewLaunch(smart.Launch) string
	ChoosePatient(r *http.Request, request, patient string) (string, error)
}

// App is an application that can be launched.
type App struct{ ID, Name, LaunchURL string }

// Config is what a UI needs.
type Config struct {
	FHIRBase string
	Store    *fhirserver.Store
	Users    *accounts.Users
	Sessions *accounts.Sessions
	Faults   *faults.Set
	SMART    Authorization
	Apps     []App
	// Origins are those of all client applications, which sign-in may lead back to.
	Origins []string
	Zone    *time.Location
	// OpenDay is called before a list of the day's visits is shown.
	OpenDay func()
	Now     func() time.Time
	Log     *slog.Logger
}

// UI answers the pages.
type UI struct {
	config   Config
	pages    map[string]*template.Template
	throttle *accounts.Throttle
	handler  http.Handler
	csp      string
}

// New makes the pages.
func New(c Config) (*UI, error) {
	u := &UI{config: c, throttle: accounts.NewThrottle(c.Now), pages: map[string]*template.Template{}}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		page := strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")
		if page == "layout" {
			continue
		}
		u.pages[page], err = template.New("layout.html").Funcs(u.funcs()).ParseFS(files, "templates/layout.html", name)
		if err != nil {
			return nil, err
		}
	}
	own := strings.Join(append([]string{"'self'"}, c.Origins...), " ")
	u.csp = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src " + own + "; form-action " + own + "; base-uri 'none'; frame-ancestors 'self'"
	u.handler = u.routes()
	return u, nil
}

func (u *UI) funcs() template.FuncMap {
	return template.FuncMap{
		"visits": func(visits []visit, apps []App, named, dated, others bool) visitList {
			return visitList{visits, apps, named, dated, others}
		},
		"clock": func(t time.Time) string { return t.In(u.config.Zone).Format("15:04") },
		"day":   func(t time.Time) string { return t.In(u.config.Zone).Format("Mon 2 Jan 2006") },
		"at":    func(t time.Time) string { return t.In(u.config.Zone).Format("2 Jan 2006, 15:04") },
	}
}

// visitList is a list of visits as the template wants it: Named shows the patient, Dated the day,
// Others the clinician beside a named patient.
type visitList struct {
	Visits               []visit
	Apps                 []App
	Named, Dated, Others bool
}

func (u *UI) routes() http.Handler {
	mux := http.NewServeMux()
	static, err := fs.Sub(files, "static")
	if err != nil { // the folder is embedded
		static = files
	}
	mux.Handle("GET /static/", cached(http.StripPrefix("/static/", http.FileServerFS(static))))
	mux.HandleFunc("GET /style/smart-v1.json", smartStyle)
	mux.HandleFunc("GET /login", u.loginPage)
	mux.HandleFunc("POST /login", u.login)
	mux.HandleFunc("POST /logout", u.logout)
	mux.HandleFunc("GET /auth/signed-out", u.signedOut)
	mux.HandleFunc("GET /staff/signed-out", u.signedOut)
	mux.Handle("GET /{$}", u.signedIn(u.home))
	mux.Handle("GET /patients", u.signedIn(u.patients))
	mux.Handle("GET /patients/{id}", u.signedIn(u.patient))
	mux.Handle("GET /visits/{id}", u.signedIn(u.visitFrame))
	mux.Handle("GET /launch/{appointment}", u.signedIn(u.launchVisit))
	mux.Handle("GET /launch-patient/{patient}", u.signedIn(u.launchPatient))
	mux.Handle("GET /choose-patient", u.signedIn(u.choosePage))
	mux.Handle("POST /choose-patient", u.signedIn(u.choose))
	mux.Handle("GET /documents/{id}", u.signedIn(u.document))
	mux.Handle("GET /documents/{id}/content/{n}", u.signedIn(u.documentContent))
	mux.Handle("GET /faults", u.signedIn(u.faultsPage))
	mux.Handle("POST /faults", u.signedIn(u.addFault))
	mux.Handle("POST /faults/clear", u.signedIn(u.clearFaults))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		u.fail(w, r, http.StatusNotFound, "There is no page here.")
	})
	// POST from another site is refused; the pages need no token in their forms.
	return http.NewCrossOriginProtection().Handler(mux)
}

// ServeHTTP answers a page.
func (u *UI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", u.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	u.handler.ServeHTTP(w, r)
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		next.ServeHTTP(w, r)
	})
}

// smartStyle is the SMART style document (smart_style_url): the hospital's colours.
func smartStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write([]byte(`{"color_background":"#faf6f3","color_error":"#a3170f","color_highlight":"#7a2248","color_modal_backdrop":"","color_success":"#2f6b3a","color_text":"#2a1d22","dim_border_radius":"4px","dim_font_size":"16px","dim_spacing_size":"16px","font_family_body":"system-ui, sans-serif","font_family_heading":"Georgia, serif"}`))
}

// page is what every template gets.
type page struct {
	Title string
	User  *accounts.User
	Here  string
	Data  any
}

func (u *UI) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	p := page{Title: title, Here: name, Data: data}
	if user, ok := u.user(r); ok {
		p.User = &user
	}
	var body strings.Builder
	if err := u.pages[name].Execute(&body, p); err != nil {
		u.config.Log.ErrorContext(r.Context(), "page failed", "page", name, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body.String()))
}

func (u *UI) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	u.render(w, r, status, "message", "Not possible", text)
}

func (u *UI) user(r *http.Request) (accounts.User, bool) {
	session, ok := u.config.Sessions.Current(r.Header)
	if !ok {
		return accounts.User{}, false
	}
	return u.config.Users.BySubject(session.Subject)
}

func (u *UI) signedIn(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := u.user(r); !ok {
			back := "/"
			if r.Method == http.MethodGet {
				back = r.URL.RequestURI()
			}
			http.Redirect(w, r, "/login?next="+url.QueryEscape(back), http.StatusSeeOther)
			return
		}
		next(w, r)
	})
}

// app finds the application a launch is for; without a name it is the first.
func (u *UI) app(id string) (App, bool) {
	if id == "" && len(u.config.Apps) > 0 {
		return u.config.Apps[0], true
	}
	i := slices.IndexFunc(u.config.Apps, func(a App) bool { return a.ID == id })
	if i < 0 {
		return App{}, false
	}
	return u.config.Apps[i], true
}
