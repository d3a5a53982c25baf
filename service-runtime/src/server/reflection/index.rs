//! Which file describes what: by its name, by the names that it defines, and by the extensions in it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use anyhow::Context as _;
use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto};

/// The place of a file in the order in which they were added.
pub(super) type FileNumber = usize;

/// The files of some descriptor sets. Names are full and without a dot in front, such as `echo.v1.EchoRequest`.
#[derive(Default)]
pub(super) struct Index {
    files: Vec<File>,
    by_name: HashMap<String, FileNumber>,
    /// Services and methods, messages, fields and oneofs, enums and their values, extensions.
    by_symbol: HashMap<String, FileNumber>,
    messages: HashSet<String>,
    /// Of a message type, by their numbers.
    extensions: HashMap<String, BTreeMap<i32, FileNumber>>,
}

struct File {
    /// As it came: decoded and encoded again it would lack the options that prost does not know, such as `google.api.http`.
    encoded: Vec<u8>,
    imports: Vec<String>,
}

/// `google.protobuf.FileDescriptorSet` with its files left encoded.
#[derive(Clone, PartialEq, prost::Message)]
struct EncodedSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

impl Index {
    /// Adds the files of a set. Errors: it cannot be decoded.
    ///
    /// Of what is there twice the first counts. Two files of one name, as sets of two packages that were put together may have
    /// them, are both asked for what they define.
    pub fn add(&mut self, descriptors: &[u8]) -> anyhow::Result<()> {
        const UNREADABLE: &str = "the descriptor set cannot be decoded";
        for encoded in EncodedSet::decode(descriptors).context(UNREADABLE)?.file {
            let file = FileDescriptorProto::decode(&*encoded).context(UNREADABLE)?;
            self.add_symbols(&file, self.files.len());
            self.by_name.entry(file.name().to_owned()).or_insert(self.files.len());
            self.files.push(File { encoded, imports: file.dependency });
        }
        Ok(())
    }

    pub fn file(&self, name: &str) -> Option<FileNumber> {
        self.by_name.get(name).copied()
    }

    pub fn symbol(&self, name: &str) -> Option<FileNumber> {
        self.by_symbol.get(name).copied()
    }

    pub fn extension(&self, of: &str, number: i32) -> Option<FileNumber> {
        self.extensions.get(of)?.get(&number).copied()
    }

    /// In ascending order; `None` where there is no message type of that name.
    pub fn extension_numbers(&self, of: &str) -> Option<Vec<i32>> {
        match self.extensions.get(of) {
            Some(extensions) => Some(extensions.keys().copied().collect()),
            None => self.messages.contains(of).then(Vec::new),
        }
    }

    /// The encoded file, then all that it imports, directly or not, but for what is in `sent`, to which they are added: clients need
    /// them next, and would ask for each. An import that is in no set is passed over.
    pub fn with_imports(&self, file: FileNumber, sent: &mut HashSet<FileNumber>) -> Vec<Vec<u8>> {
        let mut answer = Vec::new();
        let mut seen = HashSet::from([file]);
        let mut next = VecDeque::from([file]);
        while let Some(number) = next.pop_front() {
            let Some(current) = self.files.get(number) else { continue };
            // What was asked for is told again, for its client may have forgotten it.
            if sent.insert(number) || number == file {
                answer.push(current.encoded.clone());
            }
            let imports = current.imports.iter().filter_map(|name| self.file(name));
            next.extend(imports.filter(|import| seen.insert(*import)));
        }
        answer
    }

    fn add_symbols(&mut self, file: &FileDescriptorProto, number: FileNumber) {
        let package = file.package();
        file.message_type.iter().for_each(|message| self.add_message(package, message, number));
        file.enum_type.iter().for_each(|of| self.add_enum(package, of, number));
        file.extension.iter().for_each(|extension| self.add_extension(package, extension, number));
        for service in &file.service {
            let name = self.add_symbol(package, service.name(), number);
            for method in &service.method {
                self.add_symbol(&name, method.name(), number);
            }
        }
    }

    fn add_message(&mut self, scope: &str, message: &DescriptorProto, file: FileNumber) {
        let name = self.add_symbol(scope, message.name(), file);
        for field in &message.field {
            self.add_symbol(&name, field.name(), file);
        }
        for oneof in &message.oneof_decl {
            self.add_symbol(&name, oneof.name(), file);
        }
        message.nested_type.iter().for_each(|nested| self.add_message(&name, nested, file));
        message.enum_type.iter().for_each(|of| self.add_enum(&name, of, file));
        message.extension.iter().for_each(|extension| self.add_extension(&name, extension, file));
        self.messages.insert(name);
    }

    fn add_enum(&mut self, scope: &str, of: &EnumDescriptorProto, file: FileNumber) {
        let name = self.add_symbol(scope, of.name(), file);
        for value in &of.value {
            // A value's name stands beside its enum's, as in C++; some clients ask for it inside of the enum all the same.
            self.add_symbol(scope, value.name(), file);
            self.add_symbol(&name, value.name(), file);
        }
    }

    fn add_extension(&mut self, scope: &str, extension: &FieldDescriptorProto, file: FileNumber) {
        self.add_symbol(scope, extension.name(), file);
        // A compiler writes names that it has resolved with a dot in front.
        let of = extension.extendee().trim_start_matches('.').to_owned();
        self.extensions.entry(of).or_default().entry(extension.number()).or_insert(file);
    }

    /// Returns the full name.
    fn add_symbol(&mut self, scope: &str, name: &str, file: FileNumber) -> String {
        let full = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.by_symbol.entry(full.clone()).or_insert(file);
        full
    }
}
