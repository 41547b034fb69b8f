// Kubernetes' own form of the kubelet's Pods API, with pods that are made up: a real gRPC server, and pods encoded by
// Kubernetes itself.
//
// Usage: pods-api SOCKET [--refuse] [--more N] [NAMESPACE/NAME...]
//
// Listens at SOCKET, prints "ready", and answers ListPods until its standard input ends. --more N: N further pods of
// the namespace "more", each with an annotation of 4 KiB. --refuse: every call fails, as in a kubelet that has not seen
// its pods yet.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubelet/pkg/apis/pods/v1alpha1"
)

type server struct {
	v1alpha1.UnimplementedPodsServer
	pods    [][]byte
	refuses bool
}

func (s *server) ListPods(context.Context, *v1alpha1.ListPodsRequest) (*v1alpha1.ListPodsResponse, error) {
	if s.refuses {
		return nil, status.Error(codes.FailedPrecondition, "kubelet has not seen its pods yet")
	}
	return &v1alpha1.ListPodsResponse{Pods: s.pods}, nil
}

// encoded is a pod as a kubelet has it: with more in it than anybody asks for.
func encoded(namespace, name, annotation string) []byte {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "00000000-0000-4000-8000-000000000000",
			Labels: map[string]string{"app": name}, Annotations: map[string]string{"note": annotation}},
		Spec: corev1.PodSpec{NodeName: "edge-1", Containers: []corev1.Container{{Name: "c", Image: "i",
			Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.9.0.2"},
	}
	bytes, err := pod.Marshal()
	if err != nil {
		log.Fatal(err)
	}
	return bytes
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: pods-api SOCKET [--refuse] [--more N] [NAMESPACE/NAME...]")
	}
	flags := flag.NewFlagSet("pods-api", flag.ExitOnError)
	refuses := flags.Bool("refuse", false, "")
	more := flags.Int("more", 0, "")
	_ = flags.Parse(os.Args[2:])
	answer := &server{refuses: *refuses}
	for _, pod := range flags.Args() {
		namespace, name, _ := strings.Cut(pod, "/")
		answer.pods = append(answer.pods, encoded(namespace, name, ""))
	}
	for i := range *more {
		answer.pods = append(answer.pods, encoded("more", fmt.Sprintf("pod-%d", i), strings.Repeat("x", 4096)))
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	calls := grpc.NewServer()
	v1alpha1.RegisterPodsServer(calls, answer)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		calls.Stop()
	}()
	fmt.Println("ready")
	// Who asks nothing may have ended the input before this.
	if err := calls.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		log.Fatal(err)
	}
}
