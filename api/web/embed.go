package web

import (
	"embed"
	"errors"
	"html/template"
	"io/fs"
	texttemplate "text/template"
)

//go:embed templates locales all:static all:app all:ts
var embedded embed.FS

// sub is a folder of the embedded files; its name is a constant of this package.
func sub(files fs.FS, folder string) fs.FS {
	part, err := fs.Sub(files, folder)
	if err != nil {
		panic("embedded folder " + folder + ": " + err.Error())
	}
	return part
}

// cause is a template error's place without its message, which may quote a value.
func cause(err error) string {
	var exec texttemplate.ExecError
	if errors.As(err, &exec) {
		return exec.Name
	}
	var bad *template.Error
	if errors.As(err, &bad) {
		return bad.Name
	}
	return "execution failed"
}
