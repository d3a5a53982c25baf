//! Server reflection, v1 and v1alpha: lets grpcurl and its like see the services and methods without a .proto file.

use tonic::service::Routes;
use tonic_reflection::{pb, server::Builder};

use crate::{Service, health};

/// The descriptors of reflection itself.
pub(crate) const DESCRIPTORS: [&[u8]; 2] = [pb::v1::FILE_DESCRIPTOR_SET, pb::v1alpha::FILE_DESCRIPTOR_SET];

const MACHINERY: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Adds both versions; older clients know v1alpha only.
pub(crate) fn add_to(routes: Routes, service: &Service) -> Routes {
    let builder = || {
        let known = Builder::configure()
            .register_encoded_file_descriptor_set(service.descriptors)
            .register_encoded_file_descriptor_set(health::DESCRIPTORS)
            // What errors carry: grpcurl reads their details by it.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
        // Only what this process offers: a .proto file may describe more.
        let offered = service.services.iter().chain(&MACHINERY);
        offered.fold(known, |builder, name| builder.with_service_name(*name))
    };
    // The method table has read the same descriptors before; if they were broken, the process would not have started.
    let v1 = builder().build_v1().expect("the descriptors were read before");
    let v1alpha = builder().build_v1alpha().expect("the descriptors were read before");
    routes.add_service(v1).add_service(v1alpha)
}
