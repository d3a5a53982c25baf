// The pair in grpc-go, as its own quick start has it, to be measured beside the others.
//
// Its messages are protobuf's own that have the same bytes: StringValue is a text in field 1, as EchoRequest and EchoResponse are; Any is a
// text in field 1 and bytes in field 2, as CallEchoResponse is. So nothing has to be generated.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const echoMethod = "/echo.v1.EchoService/Echo"

type handler = func(context.Context, *wrapperspb.StringValue) (proto.Message, error)

func main() {
	flags := flag.NewFlagSet("grpc-go", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	serviceA := flags.String("service-a", "", "the URL of A")
	if len(os.Args) < 2 {
		log.Fatal("which service? The first word is echo or call-echo")
	}
	if err := flags.Parse(os.Args[2:]); err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	if os.Args[1] == "echo" {
		register(server, "echo.v1.EchoService", "Echo", echo)
	} else {
		register(server, "echo.v1.CallEchoService", "CallEcho", callEcho(*serviceA))
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening=http://%s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}

func echo(_ context.Context, request *wrapperspb.StringValue) (proto.Message, error) {
	return wrapperspb.String(request.Value), nil
}

func callEcho(url string) handler {
	address := url[len("http://"):]
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	return func(ctx context.Context, request *wrapperspb.StringValue) (proto.Message, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		answer := new(wrapperspb.StringValue)
		if err := connection.Invoke(ctx, echoMethod, request, answer); err != nil {
			return nil, err
		}
		inner, err := proto.Marshal(answer)
		return &anypb.Any{TypeUrl: "ok", Value: inner}, err
	}
}

// What protoc-gen-go-grpc would generate.
func register(server *grpc.Server, service, method string, handle handler) {
	unary := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		request := new(wrapperspb.StringValue)
		if err := decode(request); err != nil {
			return nil, err
		}
		return handle(ctx, request)
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: method, Handler: unary}},
	}, nil)
}
