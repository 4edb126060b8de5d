// Package shim re-exports the provider, whose package is internal to its module.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"
	upstream "github.com/hashicorp/terraform-provider-tls/internal/provider"
)

// New returns the upstream provider.
func New() provider.Provider { return upstream.New() }
