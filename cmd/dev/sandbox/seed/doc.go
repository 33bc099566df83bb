// Package seed is the synthetic people of the sandbox hospital: staff, patients, their
// charts, and the visits of each day. Everything is made up and the same on every run.
// It imports the sandbox's accounts package and writes through a small interface.
package seed
