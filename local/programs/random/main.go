// Pulumi's Random provider: Terraform's, bridged.
package main

import (
	"context"
	"log"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

var version string

func main() {
	info := bridge.ProviderInfo{
		P:              tfbridge.ShimProvider(shim.New()),
		Name:           "random",
		Version:        version,
		IgnoreMappings: []string{"random_bytes"},
		MetadataInfo:   bridge.NewProviderMetadata([]byte("{}")),
	}
	info.MustComputeTokens(tokens.SingleModule("random_", "index", func(module, name string) (string, error) {
		return tokens.MakeStandard("random")(module, "Random"+name)
	}))
	schema, err := tfgen.GenerateSchema(context.Background(), tfgen.GenerateSchemaOptions{ProviderInfo: info})
	if err != nil {
		log.Fatal(err)
	}
	tfbridge.Main(context.Background(), "random", info, schema.ProviderMetadata)
}
