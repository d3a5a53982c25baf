//! The methods that a server has: read from the descriptor sets, so that each is listed once, in its `.proto`.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use prost::Message as _;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, MethodOptions, ServiceDescriptorProto,
    method_options::IdempotencyLevel,
};

/// What the layers need to know of a method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Method {
    /// Its name in the log: the JSON path of the same method, else its gRPC path.
    pub endpoint: String,
    /// The caller sends a stream.
    pub client_streaming: bool,
    /// The caller gets a stream.
    pub server_streaming: bool,
    /// Health or reflection: it does not count against the limit of calls.
    pub probe: bool,
    /// Asked by machines all the time: logged at debug.
    pub quiet: bool,
    /// A call of it may be made again though the first one may have been carried out: its `.proto` says so
    /// (`option idempotency_level = NO_SIDE_EFFECTS`, or `IDEMPOTENT`).
    pub idempotent: bool,
}

impl Method {
    /// The service's own health method, with a JSON path.
    pub(crate) fn is_own_health(&self) -> bool {
        self.probe && !self.quiet
    }
}

/// A method that is also reached by a path of plain HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Alias<'a> {
    /// The gRPC path, such as `/echo.v1.EchoService/Echo`.
    pub method: &'a str,
    /// The other path, such as `/echo`; the method's name in the log.
    pub path: &'a str,
    /// A health check.
    pub probe: bool,
}

/// gRPC path → method.
#[derive(Debug)]
pub struct Methods {
    by_path: HashMap<String, Arc<Method>>,
}

/// Packages of the services that every process has beside its own.
const STANDARD_PACKAGES: [&str; 2] = ["grpc.health.", "grpc.reflection."];

impl Methods {
    /// The methods of `services` (full names, such as `echo.v1.EchoService`) as `descriptors` (encoded
    /// `google.protobuf.FileDescriptorSet`s) describe them.
    ///
    /// Errors: a set that cannot be decoded, a service that none of them describes or that is named twice, an alias for a method
    /// that is not there.
    pub fn new(services: &[&str], descriptors: &[&[u8]], aliases: &[Alias<'_>]) -> anyhow::Result<Self> {
        let described = services_of(descriptors)?;
        let mut methods = Methods { by_path: HashMap::new() };
        for (index, name) in services.iter().enumerate() {
            ensure!(!services[..index].contains(name), "the service {name} is added twice");
            let Some(service) = described.get(*name) else {
                bail!(
                    "the descriptors do not describe the service {name}; take the set that its code was generated from"
                );
            };
            methods.add(name, service, aliases);
        }
        if let Some(alias) = aliases.iter().find(|alias| !methods.by_path.contains_key(alias.method)) {
            bail!(
                "the JSON path {} stands for {}, and no service added here has that method",
                alias.path,
                alias.method
            );
        }
        Ok(methods)
    }

    /// All methods that `descriptors` describe. Errors: a set that cannot be decoded.
    pub fn described(descriptors: &[&[u8]]) -> anyhow::Result<Self> {
        let mut methods = Methods { by_path: HashMap::new() };
        for (name, service) in services_of(descriptors)? {
            methods.add(&name, &service, &[]);
        }
        Ok(methods)
    }

    /// The method at a gRPC path such as `/echo.v1.EchoService/Echo`.
    pub fn find(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    fn add(&mut self, name: &str, service: &ServiceDescriptorProto, aliases: &[Alias<'_>]) {
        let standard = is_standard(name);
        for method in &service.method {
            let path = format!("/{name}/{}", method.name());
            let alias = aliases.iter().find(|alias| alias.method == path);
            let method = Method {
                endpoint: alias.map_or(&*path, |alias| alias.path).to_owned(),
                client_streaming: method.client_streaming(),
                server_streaming: method.server_streaming(),
                probe: standard || alias.is_some_and(|alias| alias.probe),
                quiet: standard,
                idempotent: is_idempotent(method),
            };
            self.by_path.insert(path, Arc::new(method));
        }
    }
}

/// By their full names.
fn services_of(descriptors: &[&[u8]]) -> anyhow::Result<HashMap<String, ServiceDescriptorProto>> {
    let mut described = HashMap::new();
    for encoded in descriptors {
        let set = FileDescriptorSet::decode(*encoded).context("the descriptor set cannot be decoded")?;
        set.file.into_iter().for_each(|file| add_services(&mut described, file));
    }
    Ok(described)
}

fn add_services(described: &mut HashMap<String, ServiceDescriptorProto>, file: FileDescriptorProto) {
    let package = file.package.clone().unwrap_or_default();
    for service in file.service {
        let name = if package.is_empty() { service.name().to_owned() } else { format!("{package}.{}", service.name()) };
        described.insert(name, service);
    }
}

/// What `google/protobuf/descriptor.proto` calls unknown is the default, and means that a call may be made once only.
fn is_idempotent(method: &MethodDescriptorProto) -> bool {
    let level = method.options.as_ref().map(MethodOptions::idempotency_level);
    matches!(level, Some(IdempotencyLevel::NoSideEffects | IdempotencyLevel::Idempotent))
}

fn is_standard(service: &str) -> bool {
    STANDARD_PACKAGES.iter().any(|package| service.starts_with(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors() -> Vec<u8> {
        of(vec![MethodDescriptorProto {
            name: Some("Talk".into()),
            client_streaming: Some(true),
            server_streaming: Some(true),
            ..Default::default()
        }])
    }

    fn of(method: Vec<MethodDescriptorProto>) -> Vec<u8> {
        let service = ServiceDescriptorProto { name: Some("Chat".into()), method, ..Default::default() };
        let file =
            FileDescriptorProto { package: Some("chat.v1".into()), service: vec![service], ..Default::default() };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    fn mistake(services: &[&str], descriptors: &[u8], aliases: &[Alias<'_>]) -> String {
        Methods::new(services, &[descriptors], aliases).unwrap_err().to_string()
    }

    #[test]
    fn knows_the_methods_of_the_services_that_were_added() {
        let methods = Methods::new(&["chat.v1.Chat"], &[&descriptors()], &[]).unwrap();
        let talk = methods.find("/chat.v1.Chat/Talk").unwrap();
        assert!(talk.client_streaming && talk.server_streaming && !talk.probe);
        assert_eq!(talk.endpoint, "/chat.v1.Chat/Talk");
        assert!(methods.find("/chat.v1.Chat/Listen").is_none());
        assert!(Methods::new(&[], &[&descriptors()], &[]).unwrap().find("/chat.v1.Chat/Talk").is_none());
    }

    #[test]
    fn takes_a_method_for_idempotent_only_where_its_proto_says_so() {
        let level = |level: IdempotencyLevel| MethodOptions {
            idempotency_level: Some(level.into()),
            ..MethodOptions::default()
        };
        for (options, expected) in [
            (Some(level(IdempotencyLevel::NoSideEffects)), true),
            (Some(level(IdempotencyLevel::Idempotent)), true),
            (Some(level(IdempotencyLevel::IdempotencyUnknown)), false),
            (Some(MethodOptions::default()), false),
            (None, false),
        ] {
            let method = MethodDescriptorProto { name: Some("Say".into()), options, ..Default::default() };
            let methods = Methods::new(&["chat.v1.Chat"], &[&of(vec![method.clone()])], &[]).unwrap();
            assert_eq!(methods.find("/chat.v1.Chat/Say").unwrap().idempotent, expected, "{method:?}");
        }
    }

    #[test]
    fn says_what_does_not_fit_together() {
        let set = descriptors();
        assert_eq!(mistake(&["chat.v1.Chat", "chat.v1.Chat"], &set, &[]), "the service chat.v1.Chat is added twice");
        assert!(
            mistake(&["chat.v1.Other"], &set, &[])
                .starts_with("the descriptors do not describe the service chat.v1.Other")
        );
        assert_eq!(mistake(&[], b"\xff", &[]), "the descriptor set cannot be decoded");
        let alias = Alias { method: "/chat.v1.Chat/Listen", path: "/listen", probe: false };
        assert!(mistake(&["chat.v1.Chat"], &set, &[alias]).starts_with("the JSON path /listen stands for"));
    }
}
