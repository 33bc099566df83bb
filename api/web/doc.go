// Package web is the pages: templates, their texts in each language, styles and scripts, and the handlers that fill
// them. It owns what a person sees. It imports gin, package api for the session and the errors, and the domain
// packages whose commands it calls. It holds no rule of the domain, writes no SQL, and loads nothing from another
// origin. Values of patients are revealed only while a view is filled.
package web
