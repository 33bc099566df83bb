package web

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Bundle builds every entry point from the embedded sources: each app/*.ts and ts/*.ts becomes a script, each
// static/*.css a style sheet, each static/*.svg is taken as it is. Names that start with "_" are only imported.
func Bundle() (*Assets, error) {
	assets := newAssets()
	for _, folder := range []string{"app", "ts", "static"} {
		files, err := fs.ReadDir(embedded, folder)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := assets.bundle(path.Join(folder, file.Name())); err != nil {
				return nil, fmt.Errorf("bundle %s: %w", file.Name(), err)
			}
		}
	}
	return assets, nil
}

func (a *Assets) bundle(source string) error {
	name := path.Base(source)
	if strings.HasPrefix(name, "_") || strings.HasSuffix(name, ".d.ts") || strings.HasSuffix(name, ".test.ts") {
		return nil
	}
	switch path.Ext(name) {
	case ".ts", ".css":
		built, err := build(source)
		if err != nil {
			return err
		}
		name = strings.Replace(name, ".ts", ".js", 1)
		if a.URL(name) != "" {
			return errors.New("two entry points have this name")
		}
		return a.add(name, built)
	case ".svg":
		content, err := fs.ReadFile(embedded, source)
		if err != nil {
			return err
		}
		return a.add(name, content)
	}
	return nil
}

func build(source string) ([]byte, error) {
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{source}, Bundle: true, Write: false, Outdir: "out",
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
		Format: api.FormatESModule, Platform: api.PlatformBrowser, Target: api.ES2022, Charset: api.CharsetUTF8,
		LegalComments: api.LegalCommentsNone, TsconfigRaw: "{}",
		Plugins: []api.Plugin{embeddedSources()},
	})
	if len(result.Errors) > 0 {
		messages := api.FormatMessages(result.Errors, api.FormatMessagesOptions{})
		return nil, errors.New(strings.TrimSpace(strings.Join(messages, "\n")))
	}
	if len(result.OutputFiles) != 1 {
		return nil, fmt.Errorf("%d files came out of one entry point", len(result.OutputFiles))
	}
	return result.OutputFiles[0].Contents, nil
}

// embeddedSources lets the bundler read the embedded files, and nothing of the machine's.
func embeddedSources() api.Plugin {
	return api.Plugin{Name: "embedded", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			target := path.Clean(args.Path)
			if args.Importer != "" {
				target = path.Join(path.Dir(args.Importer), args.Path)
			}
			for _, candidate := range []string{target, target + ".ts", strings.TrimSuffix(target, ".js") + ".ts", path.Join(target, "index.ts")} {
				if info, err := fs.Stat(embedded, candidate); err == nil && !info.IsDir() {
					return api.OnResolveResult{Path: candidate, Namespace: "embedded"}, nil
				}
			}
			return api.OnResolveResult{}, fmt.Errorf("%s is not among the embedded sources", args.Path)
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: "embedded"}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			content, err := fs.ReadFile(embedded, args.Path)
			if err != nil {
				return api.OnLoadResult{}, err
			}
			text, loader := string(content), api.LoaderTS
			if path.Ext(args.Path) == ".css" {
				loader = api.LoaderCSS
			}
			return api.OnLoadResult{Contents: &text, Loader: loader}, nil
		})
	}}
}
