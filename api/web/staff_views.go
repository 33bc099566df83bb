package web

func staffViews() []View { return []View{&SignInView{}} }

// SignInView is the page for those who are not signed in.
type SignInView struct {
	Providers []Provider
	Problem   string // key of a text, or ""
}

// Provider is an identity provider to sign in with.
type Provider struct{ Name, Organisation, Href string }

// Template names the page.
func (*SignInView) Template() string { return "public/sign-in" }
