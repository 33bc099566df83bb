package web

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"text/template/parse"
)

// layoutOf names the layout of a page by its folder: patients get large and plain, all others the staff's.
func layoutOf(page string) string {
	if folder := path.Dir(page); folder == "patient" || folder == "public" {
		return "layouts/" + folder + ".html"
	}
	return "layouts/staff.html"
}

func parseAll(files fs.FS, texts *Texts, assets *Assets) (map[string]map[string]*template.Template, error) {
	names, err := fs.Glob(files, "*/*.html")
	if err != nil {
		return nil, err
	}
	sets := map[string]map[string]*template.Template{}
	for _, lang := range texts.Languages() {
		base, err := template.New("base").Funcs(functions(lang, texts, assets)).ParseFS(files, "partials/*.html")
		if err != nil {
			return nil, fmt.Errorf("templates: %w", err)
		}
		sets[lang] = map[string]*template.Template{}
		for _, name := range names {
			if folder := path.Dir(name); folder == "partials" || folder == "layouts" {
				continue
			}
			page := strings.TrimSuffix(name, ".html")
			if sets[lang][page], err = parsePage(base, files, page, texts, assets); err != nil {
				return nil, fmt.Errorf("template %s: %w", page, err)
			}
		}
	}
	return sets, nil
}

func parsePage(base *template.Template, files fs.FS, page string, texts *Texts, assets *Assets) (*template.Template, error) {
	set, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if set, err = set.ParseFS(files, layoutOf(page), page+".html"); err != nil {
		return nil, err
	}
	check := completeness{set: set, texts: texts, assets: assets, seen: map[string]bool{}}
	check.template("layout")
	for _, t := range set.Templates() {
		check.template(t.Name())
	}
	return set, errors.Join(check.problems...)
}

// completeness walks the templates that a page reaches.
type completeness struct {
	set      *template.Template
	texts    *Texts
	assets   *Assets
	seen     map[string]bool
	problems []error
}

func (c *completeness) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *completeness) template(name string) {
	if c.seen[name] {
		return
	}
	c.seen[name] = true
	t := c.set.Lookup(name)
	if t == nil || t.Tree == nil {
		if !strings.HasSuffix(name, ".html") && name != "base" {
			c.problem("there is no template %q", name)
		}
		return
	}
	c.node(t.Tree.Root)
}

func (c *completeness) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				c.node(child)
			}
		}
	case *parse.ActionNode:
		c.pipe(n.Pipe)
	case *parse.IfNode:
		c.branch(&n.BranchNode)
	case *parse.RangeNode:
		c.branch(&n.BranchNode)
	case *parse.WithNode:
		c.branch(&n.BranchNode)
	case *parse.TemplateNode:
		c.template(n.Name)
		c.pipe(n.Pipe)
	}
}

func (c *completeness) branch(b *parse.BranchNode) {
	c.pipe(b.Pipe)
	c.node(b.List)
	c.node(b.ElseList)
}

func (c *completeness) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, command := range p.Cmds {
		for _, arg := range command.Args {
			if inner, ok := arg.(*parse.PipeNode); ok {
				c.pipe(inner)
			}
		}
		c.call(command)
	}
}

// call checks the literal first argument of the functions that look something up.
func (c *completeness) call(command *parse.CommandNode) {
	if len(command.Args) < 2 {
		return
	}
	function, ok := command.Args[0].(*parse.IdentifierNode)
	literal, isLiteral := command.Args[1].(*parse.StringNode)
	if !ok || !isLiteral {
		if ok && (function.Ident == "t" || function.Ident == "tn") {
			c.problem("%s: the key must be a literal; use word for one that depends on a value", command)
		}
		return
	}
	switch key := literal.Text; function.Ident {
	case "t":
		if !c.texts.Has(key) {
			c.problem("unknown text %q", key)
		}
	case "tn":
		if !c.texts.Has(key+".one") || !c.texts.Has(key+".other") {
			c.problem("unknown text %q (.one and .other)", key)
		}
	case "word", "messages":
		if len(c.texts.WithPrefix(DefaultLanguage, key)) == 0 {
			c.problem("no text starts with %q", key)
		}
	case "asset":
		if c.assets.URL(key) == "" {
			c.problem("unknown asset %q", key)
		}
	}
}
