// Command gallery renders every page in every state with synthetic values, and takes pictures of them with Chromium:
// wide and narrow, light and dark. It owns the synthetic values; it imports api/web and opens no database. Run it
// after a change of a template or a style, and look at the pictures.
//
//	go run ./cmd/dev/gallery -out DIR [-only worklist] [-sheet]
package main
