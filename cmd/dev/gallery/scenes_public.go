package main

import "github.com/televisit/televisit/api/web"

func publicScenes() []scene {
	providers := []web.Provider{{Organisation: "Sandbox Hospital", Href: "/sso/sandbox"}, {Organisation: "Northside Clinics", Href: "/sso/north"}}
	found := []scene{
		{name: "signin", path: "/", view: &web.SignInView{Providers: providers, EHRs: []string{"Sandbox Hospital"}}},
		{name: "signin-idle", path: "/", view: &web.SignInView{Providers: providers[:1], Over: "idle"}},
		{name: "handoff", path: "/handoff", view: &web.HandOffView{}},
		{name: "signin-none", path: "/", view: &web.SignInView{}},
	}
	for code, status := range map[string]int{"not-found": 404, "not-permitted": 403, "conflict": 409, "gone": 410, "offline": 503, "internal": 500, "too-many": 429} {
		found = append(found, scene{name: "problem-" + code, path: "/", roles: []string{"scheduler"}, view: &web.ProblemView{Status: status, Code: code, Request: "Xk3v9QmZpa71", Staff: true}})
	}
	return found
}
