package chart

import (
	"net/http"
	"strings"
)

type loginData struct {
	Next, Username, Error string
	Again                 bool
}

// local keeps a way back on this server: an absolute path and nothing a browser would read as another host.
func local(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (u *UI) loginPage(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	again := r.URL.Query().Get("again") != ""
	if _, ok := u.user(r); ok && !again {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	u.render(w, r, http.StatusOK, "login", "Sign in", loginData{Next: next, Again: again})
}

func (u *UI) login(w http.ResponseWriter, r *http.Request) {
	const maxForm = 16 << 10
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	username := strings.TrimSpace(r.PostFormValue("username"))
	data := loginData{Next: local(r.PostFormValue("next")), Username: username}
	if !u.throttle.Allowed(username) {
		data.Error = "Too many tries. Wait a minute, then try again."
		u.render(w, r, http.StatusTooManyRequests, "login", "Sign in", data)
		return
	}
	user, err := u.config.Users.Login(username, r.PostFormValue("password"))
	if err != nil {
		u.throttle.Failed(username)
		data.Error = "The name or the password is wrong. Nothing was changed."
		u.render(w, r, http.StatusUnauthorized, "login", "Sign in", data)
		return
	}
	u.config.Sessions.Start(w, r, user.Subject)
	http.Redirect(w, r, data.Next, http.StatusSeeOther)
}

func (u *UI) logout(w http.ResponseWriter, r *http.Request) {
	u.config.Sessions.End(r.Header)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (u *UI) signedOut(w http.ResponseWriter, r *http.Request) {
	u.render(w, r, http.StatusOK, "message", "Signed out", "You are signed out of Sandbox Hospital.")
}
