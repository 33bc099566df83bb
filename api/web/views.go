package web

import "slices"

// Views lists an empty view of every page; a test renders each of them empty and filled, and holds the list against
// the templates.
func Views() []View { return slices.Concat(staffViews(), visitViews(), patientViews()) }
