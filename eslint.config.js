import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["gmmfast/calculator/static/*.js"],
    languageOptions: { globals: globals.browser },
    rules: { eqeqeq: "error", "prefer-const": "error", "no-var": "error" },
  },
  { files: ["tests/page/*.js"], languageOptions: { globals: globals.node } },
];
