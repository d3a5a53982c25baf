//! The methods there are: from the descriptor sets, so that nobody has to list them twice.

use std::collections::HashMap;

use anyhow::Context as _;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::Service;

/// What the layers need to know of a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Method {
    /// Its name in the log: the JSON path of the same method, else its gRPC path.
    pub endpoint: &'static str,
    /// The caller sends a stream.
    pub client_streaming: bool,
    /// The caller gets a stream.
    pub server_streaming: bool,
    /// Health or reflection: it does not count against the limit of calls.
    pub probe: bool,
    /// Asked by machines all the time: logged at debug.
    pub quiet: bool,
}

impl Method {
    /// The service's own health method, with a JSON path.
    pub(crate) fn is_own_health(self) -> bool {
        self.probe && !self.quiet
    }
}

/// gRPC path → method.
pub struct Methods {
    by_path: HashMap<String, Method>,
    services: &'static [&'static str],
}

/// Packages that belong to the machinery and not to the service.
const MACHINERY: [&str; 2] = ["grpc.health.", "grpc.reflection."];

impl Methods {
    /// Reads the service's descriptors and those of health and reflection.
    pub fn new(service: &Service, more: &[&[u8]]) -> anyhow::Result<Self> {
        let mut methods = Methods { by_path: HashMap::new(), services: service.services };
        for encoded in std::iter::once(&service.descriptors).chain(more) {
            methods.add(service, encoded)?;
        }
        Ok(methods)
    }

    /// The method at a gRPC path such as `/echo.v1.EchoService/Echo`.
    pub fn find(&self, path: &str) -> Option<Method> {
        self.by_path.get(path).copied()
    }

    /// The full names of the services, such as `echo.v1.EchoService`, without health and reflection.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().copied()
    }

    fn add(&mut self, service: &Service, encoded: &[u8]) -> anyhow::Result<()> {
        let set = FileDescriptorSet::decode(encoded).context("the descriptor set cannot be decoded")?;
        for file in set.file {
            for described in file.service {
                let name = format!("{}.{}", file.package.as_deref().unwrap_or(""), described.name.unwrap_or_default());
                let offered = service.services.contains(&name.as_str());
                let machinery = MACHINERY.iter().any(|package| name.starts_with(package));
                if !offered && !machinery {
                    continue;
                }
                for method in described.method {
                    let path = format!("/{name}/{}", method.name.as_deref().unwrap_or(""));
                    let route = service.json.iter().find(|route| route.method == path);
                    let method = Method {
                        // Once a process: the log names methods for as long as it runs.
                        endpoint: route.map_or_else(|| &*path.clone().leak(), |route| route.path),
                        client_streaming: method.client_streaming(),
                        server_streaming: method.server_streaming(),
                        probe: machinery || route.is_some_and(|route| route.probe),
                        quiet: machinery,
                    };
                    self.by_path.insert(path, method);
                }
            }
        }
        Ok(())
    }
}
