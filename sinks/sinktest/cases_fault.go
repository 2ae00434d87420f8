package sinktest

var faultCases []testCase
