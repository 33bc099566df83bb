package web

// visitViews lists the views of templates/visit.
func visitViews() []View { return nil }
