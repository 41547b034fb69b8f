// Asks Kubernetes' own Pod Security admission about manifests, without a cluster.
//
// Usage: pod-security LEVEL:VERSION... < MANIFESTS
//
// MANIFESTS is a stream of YAML or JSON documents, read as strictly as "kubectl apply --validate=strict" has them
// read: a field that Kubernetes does not know, or that is there twice, is an error. LEVEL is privileged, baseline or
// restricted, VERSION is v1.N or latest. Prints a list with an object for each document that has a pod:
//
//	{"kind": K, "name": N, "policies": {"LEVEL:VERSION": {"allowed": BOOL, "forbidden": [{"reason": R, "detail": D}]}}}
//
// Where the stream has the Namespace too, "admission" says what an API server with its default configuration answers,
// by the namespace's labels, to whoever makes the object, and "podAdmission" what to the controller that makes its pod:
//
//	{"allowed": BOOL, "message": TEXT, "warnings": [TEXT]}
//
// A Namespace itself has only "admission". Exit code 0 for an answer, whatever it is; else 1 and a line on stderr.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/admission"
	"k8s.io/pod-security-admission/admission/api/load"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/metrics"
	"k8s.io/pod-security-admission/policy"
)

type reason struct {
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

type verdict struct {
	Allowed   bool     `json:"allowed"`
	Forbidden []reason `json:"forbidden"`
}

type answer struct {
	Allowed  bool     `json:"allowed"`
	Message  string   `json:"message"`
	Warnings []string `json:"warnings"`
}

type report struct {
	Kind         string             `json:"kind"`
	Name         string             `json:"name"`
	Policies     map[string]verdict `json:"policies,omitempty"`
	Admission    *answer            `json:"admission,omitempty"`
	PodAdmission *answer            `json:"podAdmission,omitempty"`
}

// The cluster as far as admission asks for it: the namespaces of the stream, no pods.
type cluster map[string]*corev1.Namespace

func (c cluster) GetNamespace(_ context.Context, name string) (*corev1.Namespace, error) {
	if found, ok := c[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("no namespace %q in the stream", name)
}

func (c cluster) ListPods(context.Context, string) ([]*corev1.Pod, error) { return nil, nil }

func main() {
	reports, err := ask(os.Args[1:], os.Stdin)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(reports)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pod-security:", err)
		os.Exit(1)
	}
}

func ask(arguments []string, input io.Reader) ([]report, error) {
	wanted, err := policies(arguments)
	if err != nil {
		return nil, err
	}
	objects, err := read(input)
	if err != nil {
		return nil, err
	}
	admitter, err := newAdmission(namespaces(objects))
	if err != nil {
		return nil, err
	}
	reports := []report{}
	for _, object := range objects {
		one, err := examine(admitter, wanted, object)
		if err != nil {
			return nil, err
		}
		reports = append(reports, one)
	}
	return reports, nil
}

func policies(arguments []string) ([]api.LevelVersion, error) {
	var found []api.LevelVersion
	for _, argument := range arguments {
		levelText, versionText, _ := strings.Cut(argument, ":")
		level, levelErr := api.ParseLevel(levelText)
		version, versionErr := api.ParseVersion(versionText)
		if err := errors.Join(levelErr, versionErr); err != nil {
			return nil, fmt.Errorf("%s: %w", argument, err)
		}
		found = append(found, api.LevelVersion{Level: level, Version: version})
	}
	return found, nil
}

func read(input io.Reader) ([]runtime.Object, error) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []runtime.Object
	for documents := yaml.NewYAMLReader(bufio.NewReader(input)); ; {
		document, err := documents.Read()
		if err == io.EOF {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if text, err := yaml.ToJSON(document); err == nil && bytes.Equal(text, []byte("null")) {
			continue // nothing between two separators
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

func namespaces(objects []runtime.Object) cluster {
	found := cluster{}
	for _, object := range objects {
		if namespace, ok := object.(*corev1.Namespace); ok {
			found[namespace.Name] = namespace
		}
	}
	return found
}

// newAdmission returns the admission of an API server that was given no configuration for it.
func newAdmission(world cluster) (*admission.Admission, error) {
	configuration, err := load.LoadFromData(nil)
	if err != nil {
		return nil, err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	admitter := &admission.Admission{
		Configuration:    configuration,
		Evaluator:        evaluator,
		Metrics:          metrics.NewPrometheusRecorder(api.LatestVersion()),
		PodSpecExtractor: admission.DefaultPodSpecExtractor{},
		NamespaceGetter:  world,
		PodLister:        world,
	}
	if err := admitter.CompleteConfiguration(); err != nil {
		return nil, err
	}
	return admitter, admitter.ValidateConfiguration()
}

func examine(admitter *admission.Admission, wanted []api.LevelVersion, object runtime.Object) (report, error) {
	about, err := meta.Accessor(object)
	if err != nil {
		return report{}, err
	}
	one := report{Kind: object.GetObjectKind().GroupVersionKind().Kind, Name: about.GetName()}
	if _, ok := object.(*corev1.Namespace); ok {
		one.Admission = admit(admitter, object, about.GetName())
		return one, nil
	}
	podMeta, spec, err := admitter.PodSpecExtractor.ExtractPodSpec(object)
	if err != nil || spec == nil {
		return report{}, fmt.Errorf("%s %s has no pod: %w", one.Kind, one.Name, err)
	}
	one.Policies = map[string]verdict{}
	for _, policy := range wanted {
		one.Policies[policy.String()] = judge(admitter.Evaluator.EvaluatePod(policy, podMeta, spec))
	}
	namespace := about.GetNamespace()
	if _, err := admitter.NamespaceGetter.GetNamespace(context.Background(), namespace); err == nil {
		pod := &corev1.Pod{ObjectMeta: *podMeta, Spec: *spec}
		pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		one.Admission = admit(admitter, object, namespace)
		one.PodAdmission = admit(admitter, pod, namespace)
	}
	return one, nil
}

func judge(results []policy.CheckResult) verdict {
	all := policy.AggregateCheckResults(results)
	found := verdict{Allowed: all.Allowed, Forbidden: []reason{}}
	for i, text := range all.ForbiddenReasons {
		found.Forbidden = append(found.Forbidden, reason{text, all.ForbiddenDetails[i]})
	}
	return found
}

// admit returns the answer to the request to create an object.
func admit(admitter *admission.Admission, object runtime.Object, namespace string) *answer {
	kind := object.GetObjectKind().GroupVersionKind()
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	response := admitter.Validate(context.Background(), &api.AttributesRecord{
		Namespace: namespace,
		Kind:      kind,
		Resource:  resource,
		Operation: admissionv1.Create,
		Object:    object,
	})
	found := &answer{Allowed: response.Allowed, Warnings: append([]string{}, response.Warnings...)}
	if response.Result != nil {
		found.Message = response.Result.Message
	}
	return found
}
