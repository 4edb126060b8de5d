// Pulumi's Kafka provider: Terraform's, bridged.
package main

import (
	"github.com/Mongey/terraform-provider-kafka/kafka"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdk "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
)

var version string

func main() {
	info := tfbridge.ProviderInfo{
		P:            sdk.NewProvider(kafka.Provider()),
		Name:         "kafka",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		// The names that the npm package gives these two fields.
		Resources: map[string]*tfbridge.ResourceInfo{"kafka_acl": {Fields: map[string]*tfbridge.SchemaInfo{
			"resource_name": {Name: "aclResourceName"},
			"resource_type": {Name: "aclResourceType"},
		}}},
	}
	info.MustComputeTokens(tokens.SingleModule("kafka_", "index", tokens.MakeStandard("kafka")))
	tfbridge.Main("kafka", version, info, []byte(`{"name":"kafka"}`))
}
