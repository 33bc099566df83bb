package web

import (
	"slices"
	"strings"
)

// Navigation lists the pages that the roles open with, the one at path marked.
func Navigation(path string, roles ...string) []NavItem {
	var items []NavItem
	for _, page := range []struct{ key, href, icon, role, also string }{
		{"worklist", "/worklist", "list", "clinician", "clinician"},
		{"schedule", "/schedule", "calendar", "scheduler", "clinician"},
		{"calls", "/admin/visits", "video", "admin", "admin"},
		{"audit", "/audit", "shield", "compliance", "compliance"},
		{"boundary", "/boundary", "map", "compliance", "admin"},
	} {
		if slices.Contains(roles, page.role) || slices.Contains(roles, page.also) {
			current := strings.HasPrefix(path, page.href) || page.key == "worklist" && (strings.HasPrefix(path, "/visits") || strings.HasPrefix(path, "/recordings"))
			items = append(items, NavItem{Href: page.href, Key: page.key, Icon: page.icon, Current: current})
		}
	}
	return items
}
