//! Reflection, asked in both versions: every question has its answer, on a stream that goes on, and what an answer names can be asked.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, OneofDescriptorProto, descriptor_proto::ExtensionRange, field_descriptor_proto::Type,
};
use service_runtime::{Server, server::Worker};
use tonic::Code;
use tonic_reflection::pb::{
    v1::{
        self, server_reflection_request::MessageRequest as Ask, server_reflection_response::MessageResponse as Reply,
    },
    v1alpha::{self, server_reflection_request::MessageRequest as AskAlpha},
};

use crate::scripted::{DESCRIPTORS, Running, config, identity, parts, server, start};

/// What is asked with each question, to find it in the answer.
const HOST: &str = "any.host";

fn question(ask: Option<Ask>) -> v1::ServerReflectionRequest {
    v1::ServerReflectionRequest { host: HOST.into(), message_request: ask }
}

/// All on one stream of v1.
async fn ask_v1(running: &Running, asks: Vec<Option<Ask>>) -> Vec<v1::ServerReflectionResponse> {
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", running.address)).unwrap();
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.connect().await.unwrap());
    let questions = stream::iter(asks.into_iter().map(question));
    let answers = client.server_reflection_info(questions).await.unwrap().into_inner();
    answers.map(Result::unwrap).collect().await
}

/// The same of v1alpha. Its messages are those of v1 by their numbers, so that one is read as the other.
async fn ask_v1alpha(running: &Running, asks: Vec<Option<Ask>>) -> Vec<v1::ServerReflectionResponse> {
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", running.address)).unwrap();
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel.connect().await.unwrap());
    let alpha = |ask| v1alpha::ServerReflectionRequest::decode(&*question(ask).encode_to_vec()).unwrap();
    let questions: Vec<_> = asks.into_iter().map(alpha).collect();
    assert!(
        questions.iter().all(
            |question| !matches!(&question.message_request, Some(AskAlpha::FileByFilename(name)) if name.is_empty())
        )
    );
    let answers = client.server_reflection_info(stream::iter(questions)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.map(Result::unwrap).collect().await;
    answers.iter().map(|answer| v1::ServerReflectionResponse::decode(&*answer.encode_to_vec()).unwrap()).collect()
}

/// The replies of both versions, which are the same: one to each question, which it repeats.
async fn ask(running: &Running, asks: &[Option<Ask>]) -> Vec<Reply> {
    let answers = ask_v1(running, asks.to_vec()).await;
    assert_eq!(answers, ask_v1alpha(running, asks.to_vec()).await);
    assert_eq!(answers.len(), asks.len());
    for (answer, ask) in answers.iter().zip(asks) {
        assert_eq!((&*answer.valid_host, &answer.original_request), (HOST, &Some(question(ask.clone()))));
    }
    answers.into_iter().map(|answer| answer.message_response.unwrap()).collect()
}

fn symbol(name: &str) -> Option<Ask> {
    Some(Ask::FileContainingSymbol(name.into()))
}

fn file(name: &str) -> Option<Ask> {
    Some(Ask::FileByFilename(name.into()))
}

fn extension(of: &str, number: i32) -> Option<Ask> {
    let asked = v1::ExtensionRequest { containing_type: of.into(), extension_number: number };
    Some(Ask::FileContainingExtension(asked))
}

fn extensions(of: &str) -> Option<Ask> {
    Some(Ask::AllExtensionNumbersOfType(of.into()))
}

/// The files of a reply; of any other the error's code.
fn files(reply: &Reply) -> Result<Vec<FileDescriptorProto>, i32> {
    match reply {
        Reply::FileDescriptorResponse(files) => {
            Ok(files.file_descriptor_proto.iter().map(|file| FileDescriptorProto::decode(&**file).unwrap()).collect())
        }
        Reply::ErrorResponse(error) => {
            assert!(!error.error_message.is_empty());
            Err(error.error_code)
        }
        other => panic!("{other:?}"),
    }
}

/// The name of the file that was asked for, which comes first.
fn first(reply: &Reply) -> Result<String, i32> {
    files(reply).map(|files| files[0].name().to_owned())
}

const NOT_FOUND: i32 = Code::NotFound as i32;

/// A server of chat, and of `more` files that its descriptors have too.
async fn describing(more: Vec<FileDescriptorProto>) -> Running {
    // Two sets, one after the other, are one set.
    let descriptors = [DESCRIPTORS, &FileDescriptorSet { file: more }.encode_to_vec()].concat();
    start!(Server::new(identity(), descriptors).config(config(|_| {})))
}

/// A file in proto2: a message that can be extended and is, in its own file and inside of another message; imports a file that
/// nobody has.
fn shop() -> FileDescriptorProto {
    let field = |name: &str, number, extendee: Option<&str>| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        r#type: Some(Type::String.into()),
        extendee: extendee.map(str::to_owned),
        ..FieldDescriptorProto::default()
    };
    let value = EnumValueDescriptorProto { name: Some("RED".into()), number: Some(0), ..Default::default() };
    let colours = EnumDescriptorProto { name: Some("Colour".into()), value: vec![value], ..Default::default() };
    let inner = DescriptorProto {
        name: Some("Tag".into()),
        field: vec![field("text", 1, None)],
        extension: vec![field("tag", 102, Some(".shop.v1.Thing"))],
        ..DescriptorProto::default()
    };
    let thing = DescriptorProto {
        name: Some("Thing".into()),
        field: vec![FieldDescriptorProto { oneof_index: Some(0), ..field("name", 1, None) }],
        oneof_decl: vec![OneofDescriptorProto { name: Some("kind".into()), ..Default::default() }],
        nested_type: vec![inner],
        enum_type: vec![colours],
        extension_range: vec![ExtensionRange { start: Some(100), end: Some(200), ..Default::default() }],
        ..DescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some("shop.proto".into()),
        package: Some("shop.v1".into()),
        dependency: vec!["nobody/has/it.proto".into(), "shop_base.proto".into(), "grpc/health/v1/health.proto".into()],
        message_type: vec![thing],
        extension: vec![
            field("price", 101, Some(".shop.v1.Thing")),
            field("note", 50_000, Some(".google.protobuf.FileOptions")),
        ],
        ..FileDescriptorProto::default()
    }
}

/// A file with one empty message.
fn plain(name: &str, package: &str, message: &str) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some(name.into()),
        package: Some(package.into()),
        message_type: vec![DescriptorProto { name: Some(message.into()), ..Default::default() }],
        ..FileDescriptorProto::default()
    }
}

/// All names that `file` defines.
fn defined(file: &FileDescriptorProto) -> Vec<String> {
    fn message(prefix: &str, of: &DescriptorProto, names: &mut Vec<String>) {
        let full = format!("{prefix}.{}", of.name());
        of.field.iter().for_each(|field| names.push(format!("{full}.{}", field.name())));
        of.oneof_decl.iter().for_each(|oneof| names.push(format!("{full}.{}", oneof.name())));
        of.nested_type.iter().for_each(|nested| message(&full, nested, names));
        of.enum_type.iter().for_each(|nested| enumeration(&full, nested, names));
        of.extension.iter().for_each(|extension| names.push(format!("{full}.{}", extension.name())));
        names.push(full);
    }
    fn enumeration(prefix: &str, of: &EnumDescriptorProto, names: &mut Vec<String>) {
        // A value stands beside its enum, not in it, as in C++.
        of.value.iter().for_each(|value| names.push(format!("{prefix}.{}", value.name())));
        names.push(format!("{prefix}.{}", of.name()));
    }
    let (package, mut names) = (file.package(), Vec::new());
    file.message_type.iter().for_each(|of| message(package, of, &mut names));
    file.enum_type.iter().for_each(|of| enumeration(package, of, &mut names));
    file.extension.iter().for_each(|extension| names.push(format!("{package}.{}", extension.name())));
    for service in &file.service {
        let full = format!("{package}.{}", service.name());
        service.method.iter().for_each(|method| names.push(format!("{full}.{}", method.name())));
        names.push(full);
    }
    names
}

#[tokio::test]
async fn knows_every_service_that_it_lists_and_all_that_their_files_define_and_import() {
    let running = start!(server(config(|_| {})));
    let listed = ask(&running, &[Some(Ask::ListServices(String::new()))]).await;
    let Reply::ListServicesResponse(listed) = &listed[0] else { panic!("{listed:?}") };
    let listed: Vec<&str> = listed.service.iter().map(|service| &*service.name).collect();
    assert_eq!(
        listed,
        [
            "chat.v1.Chat",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"
        ]
    );
    // Details of errors are read by it.
    let listed: Vec<_> = [&listed[..], &["google.rpc.ErrorInfo"]].concat().into_iter().map(symbol).collect();
    let mut known = BTreeMap::new();
    for reply in ask(&running, &listed).await {
        known.extend(files(&reply).unwrap().into_iter().map(|file| (file.name().to_owned(), file)));
    }
    let imports: BTreeSet<_> = known.values().flat_map(|file| file.dependency.clone()).collect();
    let asked: Vec<_> = imports.iter().chain(known.keys()).cloned().collect();
    let replies = ask(&running, &asked.iter().map(|name| file(name)).collect::<Vec<_>>()).await;
    assert_eq!(replies.iter().map(|reply| first(reply).unwrap()).collect::<Vec<_>>(), asked);
    let names: Vec<(String, String)> =
        known.values().flat_map(|file| defined(file).into_iter().map(|name| (file.name().to_owned(), name))).collect();
    let replies = ask(&running, &names.iter().map(|(_, name)| symbol(name)).collect::<Vec<_>>()).await;
    for ((file, name), reply) in names.iter().zip(&replies) {
        assert_eq!(first(reply).as_ref(), Ok(file), "{name}");
    }
}

#[tokio::test]
async fn answers_the_questions_after_one_that_it_has_no_answer_to() {
    let running = start!(server(config(|_| {})));
    let asks = [
        symbol("chat.v1.Nope"),
        symbol(""),
        file("nope.proto"),
        file("/"),
        extension("chat.v1.Line", 1),
        extension("chat.v1.Nope", 1),
        extensions("chat.v1.Nope"),
        extensions("chat.v1.Chat"),
        None,
        extensions("chat.v1.Line"),
        symbol("chat.v1.Chat.Say"),
    ];
    let replies = ask(&running, &asks).await;
    for (reply, asked) in replies[..8].iter().zip(&asks) {
        assert_eq!(files(reply), Err(NOT_FOUND), "{asked:?}");
    }
    assert_eq!(files(&replies[8]), Err(Code::InvalidArgument as i32));
    let none = v1::ExtensionNumberResponse { base_type_name: "chat.v1.Line".into(), extension_number: vec![] };
    assert_eq!(replies[9], Reply::AllExtensionNumbersResponse(none));
    assert_eq!(first(&replies[10]).as_deref(), Ok("chat.proto"));
}

#[tokio::test]
async fn finds_all_that_a_strangers_file_defines_and_passes_over_what_nobody_has() {
    let running = describing(vec![shop(), plain("shop_base.proto", "shop.v1", "Base")]).await;
    let names = defined(&shop());
    assert!(names.contains(&"shop.v1.Thing.RED".to_owned()) && names.contains(&"shop.v1.Thing.Tag.tag".to_owned()));
    let replies = ask(&running, &names.iter().map(|name| symbol(name)).collect::<Vec<_>>()).await;
    // What it imports comes with it, once on a stream.
    let all = files(&replies[0]).unwrap();
    let all: Vec<&str> = all.iter().map(FileDescriptorProto::name).collect();
    assert_eq!(all[..2], ["shop.proto", "shop_base.proto"]);
    assert!(!all.contains(&"nobody/has/it.proto"));
    for (name, reply) in names.iter().zip(&replies).skip(1) {
        assert_eq!(files(reply).unwrap().len(), 1, "{name}");
        assert_eq!(first(reply).as_deref(), Ok("shop.proto"), "{name}");
    }
    let asks = [
        file("nobody/has/it.proto"),
        extension("shop.v1.Thing", 101),
        extension("shop.v1.Thing", 102),
        extension("google.protobuf.FileOptions", 50_000),
        extension("shop.v1.Thing", 103),
        extensions("shop.v1.Thing"),
        extensions("google.protobuf.FileOptions"),
    ];
    let replies = ask(&running, &asks).await;
    assert_eq!(files(&replies[0]), Err(NOT_FOUND));
    for reply in &replies[1..4] {
        assert_eq!(first(reply).as_deref(), Ok("shop.proto"));
    }
    assert_eq!(files(&replies[4]), Err(NOT_FOUND));
    let numbers = |of: &str, numbers: &[i32]| {
        let numbers = v1::ExtensionNumberResponse { base_type_name: of.into(), extension_number: numbers.to_vec() };
        Reply::AllExtensionNumbersResponse(numbers)
    };
    assert_eq!(replies[5], numbers("shop.v1.Thing", &[101, 102]));
    assert_eq!(replies[6], numbers("google.protobuf.FileOptions", &[50_000]));
}

#[tokio::test]
async fn serves_both_of_two_files_that_have_one_name_and_ends_where_files_import_each_other() {
    let twice = |package: &str| plain("service.proto", package, "Thing");
    let circle = |name: &str, other: &str| FileDescriptorProto {
        dependency: vec![other.to_owned(), name.to_owned()],
        ..plain(name, "circle", name.trim_end_matches(".proto"))
    };
    let more = vec![
        twice("one"),
        twice("two"),
        twice("one"),
        circle("a.proto", "b.proto"),
        circle("b.proto", "a.proto"),
        FileDescriptorProto { package: None, ..plain("no_package.proto", "", "Bare") },
        FileDescriptorProto::default(),
    ];
    let running = describing(more).await;
    let asks = [symbol("one.Thing"), symbol("two.Thing"), file("service.proto"), symbol("circle.a"), symbol("Bare")];
    let replies = ask(&running, &asks).await;
    for (reply, package) in replies.iter().zip(["one", "two", "one"]) {
        assert_eq!(files(reply).unwrap()[0], twice(package));
    }
    let names: Vec<_> = files(&replies[3]).unwrap().iter().map(|file| file.name().to_owned()).collect();
    assert_eq!(names, ["a.proto", "b.proto"]);
    assert_eq!(first(&replies[4]).as_deref(), Ok("no_package.proto"));
}

#[tokio::test]
async fn gives_a_file_as_it_was_registered_with_options_that_it_cannot_read() {
    // An option of somebody else's (field 72295728, as google.api.http has it), which prost would drop.
    let mut encoded = plain("annotated.proto", "annotated", "Thing").encode_to_vec();
    encoded.extend([0x82, 0xd3, 0xe4, 0x93, 0x02, 0x02, b'h', b'i']);
    let length = u8::try_from(encoded.len()).unwrap();
    let descriptors = [DESCRIPTORS, &[0x0a, length], &encoded].concat();
    let running = start!(Server::new(identity(), descriptors).config(config(|_| {})));
    let replies = ask(&running, &[file("annotated.proto")]).await;
    let Reply::FileDescriptorResponse(answer) = &replies[0] else { panic!("{replies:?}") };
    assert_eq!(answer.file_descriptor_proto, [encoded]);
}

#[tokio::test]
async fn says_at_its_start_that_its_descriptors_cannot_be_decoded() {
    let (listener, _trigger, shutdown, scripted, _) = parts().await;
    let broken = Server::new(identity(), &b"\xff\xff"[..]).config(config(|_| {}));
    let served = broken.serve(listener, move |_: &Worker| scripted.services(None), shutdown).await;
    assert_eq!(served.unwrap_err().to_string(), "the descriptor set cannot be decoded");
    // A set that can be, of a file that cannot.
    let (listener, _trigger, shutdown, scripted, _) = parts().await;
    let broken = Server::new(identity(), [DESCRIPTORS, b"\x0a\x02\xff\xff"].concat()).config(config(|_| {}));
    let served = broken.serve(listener, move |_: &Worker| scripted.services(None), shutdown).await;
    assert_eq!(served.unwrap_err().to_string(), "the descriptor set cannot be decoded");
}
