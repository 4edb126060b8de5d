// Pulumi's TLS provider: Terraform's, bridged.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-provider-tls/shim"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
)

var version string

func main() {
	info := bridge.ProviderInfo{
		P:            tfbridge.ShimProvider(shim.New()),
		Name:         "tls",
		Version:      version,
		MetadataInfo: bridge.NewProviderMetadata([]byte("{}")),
	}
	info.MustComputeTokens(tokens.SingleModule("tls_", "index", tokens.MakeStandard("tls")))
	schema, err := tfgen.GenerateSchema(context.Background(), tfgen.GenerateSchemaOptions{ProviderInfo: info})
	if err != nil {
		log.Fatal(err)
	}
	tfbridge.Main(context.Background(), "tls", info, schema.ProviderMetadata)
}
