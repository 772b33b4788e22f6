package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Programs from Debian's packages. Only the name server is a part of a lab.
var bundles = []debian{
	bind,
	{name: "prometheus", packages: []string{"prometheus"}, program: "usr/bin/prometheus"},
	{
		name: "postgresql", newest: "postgresql", packages: []string{"postgresql-VERSION", "postgresql-client-VERSION"},
		program: "usr/lib/postgresql/VERSION/bin/postgres", without: "libllvm", // for its compiler of queries
	},
}

// fetchBundles is for `lab build`. A machine without Debian's packages has a lab all the same;
// the tests that need the programs fail there, and say this.
func fetchBundles(ctx context.Context, say func(string)) error {
	for _, d := range bundles {
		_, err := provideBundle(ctx, d, say)
		if errors.Is(err, errNoPackages) {
			say(fmt.Sprintf("Tests that need %s cannot run on this machine: %v.", d.name, err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// runBundle says where a program is, and what it has to be run with.
func runBundle(name string) error {
	for _, d := range bundles {
		if d.name != name {
			continue
		}
		made, err := provideBundle(context.Background(), d, func(line string) { fmt.Fprintln(os.Stderr, line) })
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(map[string]string{
			"root": made.root, "program": made.path(made.d.program), "environment": made.environment(),
		})
	}
	return fmt.Errorf("there is no bundle %q", name)
}
