//! Server reflection, v1 and v1alpha: lets grpcurl and its like see the services and methods without a .proto file.

use anyhow::Context as _;
use tonic_reflection::{pb, server::Builder};

use super::{health, services::Services};

/// The descriptors of reflection itself.
pub(super) const DESCRIPTORS: [&[u8]; 2] = [pb::v1::FILE_DESCRIPTOR_SET, pb::v1alpha::FILE_DESCRIPTOR_SET];

/// Every server has them, and lists them.
const STANDARD_SERVICES: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Adds both versions; older clients know v1alpha only. Errors: `descriptors`, of the services in `offered`, cannot be read.
pub(super) fn add_to(services: Services, descriptors: &[u8]) -> anyhow::Result<Services> {
    let builder = || {
        let known = Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(health::DESCRIPTORS)
            // What errors carry: grpcurl reads their details by it.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
        // Only what this process offers: a .proto file may describe more.
        let own = services.names.iter().filter(|name| !STANDARD_SERVICES.contains(name));
        own.chain(&STANDARD_SERVICES).fold(known, |builder, name| builder.with_service_name(*name))
    };
    let v1 = builder().build_v1().context("the descriptors cannot be read")?;
    let v1alpha = builder().build_v1alpha().context("the descriptors cannot be read")?;
    Ok(services.add(v1).add(v1alpha))
}
