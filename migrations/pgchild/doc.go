// Package pgchild runs a private PostgreSQL as a child process: the distribution's own binaries, a unix socket in
// the data folder and no TCP port, never as root, ended when the parent ends.
//
// It imports the standard library and pgx. It never touches a PostgreSQL that it did not start.
package pgchild
