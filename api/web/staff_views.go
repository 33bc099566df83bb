package web

// staffViews lists the views of templates/staff and templates/public.
func staffViews() []View {
	return []View{&SignInView{}, &ProblemView{}, &HandOffView{}, &WorklistView{}, &NoVisitView{}, &ScheduleView{}, &LinkView{},
		&RecordingsView{}, &PlayerView{}, &AuditView{}, &AuditEventView{}, &BoundaryView{}, &CallsView{}, &InspectView{}}
}

// SignInView is the page for those who are not signed in.
type SignInView struct {
	Providers []Provider
	EHRs      []string // names of the EHRs that launch us
	Over      string   // why the last session ended: idle, expired, ended, out; "" when none did
	Next      bool     // a page waits behind the sign-in
}

// Provider is an identity provider to sign in with.
type Provider struct{ Organisation, Href string }

// Template names the page.
func (*SignInView) Template() string { return "public/sign-in" }

// ProblemView tells what went wrong, what is safe and what to do.
type ProblemView struct {
	Status  int
	Code    string // texts problem.<code>.title and .advice
	Detail  string // the domain's own sentence, where there is one
	Request string
	Staff   bool
}

// Template names the page.
func (*ProblemView) Template() string { return "public/problem" }
