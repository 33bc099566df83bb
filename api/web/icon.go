package web

import "html/template"

// icon is a drawing of the sprite at the foot of each page; it is decoration, the word stands beside it.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" aria-hidden="true" focusable="false"><use href="#i-` + template.HTMLEscapeString(name) + `"/></svg>`) //nolint:gosec // name is escaped
}
