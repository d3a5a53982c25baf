//! Server reflection, v1 and v1alpha: lets grpcurl and its like see the services and methods without a .proto file.
//!
//! Of tonic-reflection only the generated code is used. Its own service ends the stream at the first name that it does not know, so
//! that a client with eleven questions gets two answers, and each of its versions lists the other and cannot describe it.

mod index;

use std::{
    collections::HashSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt as _};
use http::{Request, Response, Uri};
use tonic::{Code, Status, Streaming, body::Body, server::NamedService};
use tonic_reflection::pb::{
    self,
    v1::{
        ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
        ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
        server_reflection_server::{SERVICE_NAME, ServerReflection, ServerReflectionServer},
    },
    v1alpha::server_reflection_server::SERVICE_NAME as V1ALPHA,
};
use tower::Service;

use super::{health, services::Services};
use index::{FileNumber, Index};

/// The descriptors of reflection itself.
pub(super) const DESCRIPTORS: [&[u8]; 2] = [pb::v1::FILE_DESCRIPTOR_SET, pb::v1alpha::FILE_DESCRIPTOR_SET];

/// Every server has them, and lists them.
const STANDARD_SERVICES: [&str; 3] = ["grpc.health.v1.Health", SERVICE_NAME, V1ALPHA];

/// Adds both versions; older clients know v1alpha only. Errors: `descriptors`, of the services in `offered`, cannot be read.
pub(super) fn add_to(offered: Services, descriptors: &[u8]) -> anyhow::Result<Services> {
    let mut index = Index::default();
    // The server's own come first: where a file or a name is there twice, the first one counts.
    index.add(descriptors)?;
    index.add(health::DESCRIPTORS)?;
    // What errors carry: grpcurl reads their details by it.
    index.add(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    DESCRIPTORS.iter().try_for_each(|set| index.add(set))?;
    // Only what this process offers: a .proto file may describe more.
    let own = offered.names.iter().filter(|name| !STANDARD_SERVICES.contains(name));
    let services = own.chain(&STANDARD_SERVICES).map(|name| ServiceResponse { name: (*name).to_owned() }).collect();
    let v1 = ServerReflectionServer::new(Reflection { known: Arc::new(Known { services, index }) });
    Ok(offered.add(v1.clone()).add(V1Alpha(v1)))
}

#[derive(Clone)]
struct Reflection {
    known: Arc<Known>,
}

/// What there is to tell.
struct Known {
    services: Vec<ServiceResponse>,
    index: Index,
}

/// Why there is no answer to a question: what stands in its `error_response`.
struct Unanswered(Code, &'static str);

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    /// An answer to each question, in their order. The stream ends with the questions, or where one cannot be decoded.
    async fn server_reflection_info(
        &self,
        questions: tonic::Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<tonic::Response<Self::ServerReflectionInfoStream>, Status> {
        let known = self.known.clone();
        let mut sent = HashSet::new();
        let answers = questions.into_inner().map(move |question| Ok(known.answer(question?, &mut sent)));
        Ok(tonic::Response::new(Box::pin(answers)))
    }
}

impl Known {
    /// `sent` are the files that this stream has brought so far.
    fn answer(&self, question: ServerReflectionRequest, sent: &mut HashSet<FileNumber>) -> ServerReflectionResponse {
        let answer = self.find(question.message_request.as_ref(), sent);
        let answer = answer.unwrap_or_else(|Unanswered(code, sentence)| {
            MessageResponse::ErrorResponse(ErrorResponse {
                error_code: code.into(),
                error_message: sentence.to_owned(),
            })
        });
        ServerReflectionResponse {
            valid_host: question.host.clone(),
            original_request: Some(question),
            message_response: Some(answer),
        }
    }

    fn find(
        &self,
        asked: Option<&MessageRequest>,
        sent: &mut HashSet<FileNumber>,
    ) -> Result<MessageResponse, Unanswered> {
        let index = &self.index;
        let (file, otherwise) = match asked {
            // Also what a later version of the protocol may ask: this one has no field for it.
            None => return Err(Unanswered(Code::InvalidArgument, "The question is none that this server knows")),
            Some(MessageRequest::ListServices(_)) => {
                let service = self.services.clone();
                return Ok(MessageResponse::ListServicesResponse(ListServiceResponse { service }));
            }
            Some(MessageRequest::AllExtensionNumbersOfType(of)) => {
                let numbers = index.extension_numbers(of);
                let numbers = numbers.ok_or(Unanswered(Code::NotFound, "There is no message type of that name"))?;
                return Ok(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: of.clone(),
                    extension_number: numbers,
                }));
            }
            Some(MessageRequest::FileByFilename(name)) => (index.file(name), "There is no file of that name"),
            Some(MessageRequest::FileContainingSymbol(name)) => (index.symbol(name), "There is no symbol of that name"),
            Some(MessageRequest::FileContainingExtension(asked)) => {
                let file = index.extension(&asked.containing_type, asked.extension_number);
                (file, "There is no extension of that type with that number")
            }
        };
        let file = file.ok_or(Unanswered(Code::NotFound, otherwise))?;
        let file_descriptor_proto = index.with_imports(file, sent);
        Ok(MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto }))
    }
}

/// v1alpha: messages and method are those of v1 under another name, so that the same service answers.
#[derive(Clone)]
struct V1Alpha(ServerReflectionServer<Reflection>);

impl NamedService for V1Alpha {
    const NAME: &'static str = V1ALPHA;
}

impl Service<Request<Body>> for V1Alpha {
    type Response = Response<Body>;
    type Error = <ServerReflectionServer<Reflection> as Service<Request<Body>>>::Error;
    type Future = <ServerReflectionServer<Reflection> as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<Body>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // Its only method: a path that is none was refused further out.
        *request.uri_mut() = Uri::from_static("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
        self.0.call(request)
    }
}
