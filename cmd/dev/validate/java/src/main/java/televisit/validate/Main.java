package televisit.validate;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * Validates FHIR R4 resources: one JSON object a line on standard input, {"name": ..., "body": the resource's text},
 * one a line on standard output, {"name": ..., "issues": [{"severity", "location", "message"}]}.
 * The only argument is a folder of further conformance resources (profiles, code systems).
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err); // libraries that print must not break the protocol
    FhirValidator validator = validator(Path.of(args[0]));
    ObjectMapper json = new ObjectMapper();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonNode request = json.readTree(line);
      ObjectNode answer = json.createObjectNode();
      answer.set("name", request.path("name"));
      ArrayNode issues = answer.putArray("issues");
      for (SingleValidationMessage m : messages(validator, request.path("body").asText())) {
        ObjectNode issue = issues.addObject();
        issue.put("severity", m.getSeverity() == null ? "error" : m.getSeverity().getCode());
        issue.put("location", m.getLocationString());
        issue.put("message", m.getMessage());
      }
      out.println(json.writeValueAsString(answer));
    }
  }

  private static List<SingleValidationMessage> messages(FhirValidator validator, String body) {
    try {
      return validator.validateWithResult(body).getMessages();
    } catch (RuntimeException e) {
      SingleValidationMessage unreadable = new SingleValidationMessage();
      unreadable.setSeverity(ResultSeverityEnum.FATAL);
      unreadable.setMessage(String.valueOf(e.getMessage()));
      return List.of(unreadable);
    }
  }

  private static FhirValidator validator(Path profiles) throws IOException {
    FhirContext fhir = FhirContext.forR4();
    PrePopulatedValidationSupport ours = new PrePopulatedValidationSupport(fhir);
    try (Stream<Path> files = Files.list(profiles)) {
      for (Path file : files.filter(p -> p.toString().endsWith(".json")).sorted().toList()) {
        IBaseResource resource = fhir.newJsonParser().parseResource(Files.readString(file));
        ours.addResource(resource);
      }
    }
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(fhir);
    unknown.setNonExistentCodeSystemSeverity(ca.uhn.fhir.context.support.IValidationSupport.IssueSeverity.WARNING);
    ValidationSupportChain chain = new ValidationSupportChain(
        ours,
        new DefaultProfileValidationSupport(fhir),
        new CommonCodeSystemsTerminologyService(fhir),
        new InMemoryTerminologyServerValidationSupport(fhir),
        new SnapshotGeneratingValidationSupport(fhir),
        unknown);
    FhirInstanceValidator instance = new FhirInstanceValidator(chain);
    instance.setAnyExtensionsAllowed(true);
    instance.setErrorForUnknownProfiles(true);
    instance.setAssumeValidRestReferences(true);
    instance.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
    return fhir.newValidator().registerValidatorModule(instance);
  }
}
