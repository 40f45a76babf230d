// Generated from schemas/*.schema.json by `npm run schemas`.
import func3Module from 'ajv/dist/runtime/ucs2length.js';
"use strict";
export const cluster = validate10;
const schema11 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"Membership of a host in a cluster (cluster.json)","type":"object","required":["name"],"additionalProperties":false,"properties":{"$schema":{"type":"string"},"name":{"type":"string","description":"a name of letters, digits, _, . and -, that begins with a letter or digit","pattern":"^[A-Za-z0-9][A-Za-z0-9_.-]*$","maxLength":128},"etcd":{"type":"object","required":["endpoints"],"additionalProperties":false,"properties":{"endpoints":{"type":"array","minItems":1,"maxItems":16,"items":{"type":"string"}},"ca":{"type":"string"},"cert":{"type":"string"},"key":{"type":"string"},"serverName":{"type":"string"},"user":{"type":"string"},"passwordFile":{"type":"string"}}},"zookeeper":{"type":"object","required":["endpoints"],"additionalProperties":false,"properties":{"endpoints":{"type":"array","minItems":1,"maxItems":16,"items":{"type":"string"}},"user":{"type":"string"},"passwordFile":{"type":"string"}}},"hostName":{"type":"string","maxLength":128},"underlay":{"type":"string"},"family":{"enum":[4,6]},"port":{"type":"integer","minimum":1,"maximum":65535},"vnis":{"type":"array","minItems":2,"maxItems":2,"items":{"type":"integer","minimum":1,"maximum":16777215}},"graceSeconds":{"type":"integer","minimum":30,"maximum":86400}}};
const func2 = Object.prototype.hasOwnProperty;
const func3 = func3Module.default;
const pattern0 = new RegExp("^[A-Za-z0-9][A-Za-z0-9_.-]*$", "u");

function validate10(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
if(data.name === undefined){
const err0 = {instancePath,schemaPath:"#/required",keyword:"required",params:{missingProperty: "name"},message:"must have required property '"+"name"+"'",schema:schema11.required,parentSchema:schema11,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
for(const key0 in data){
if(!(func2.call(schema11.properties, key0))){
const err1 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema11,data};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.$schema !== undefined){
let data0 = data.$schema;
if(typeof data0 !== "string"){
const err2 = {instancePath:instancePath+"/$schema",schemaPath:"#/properties/%24schema/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.$schema.type,parentSchema:schema11.properties.$schema,data:data0};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.name !== undefined){
let data1 = data.name;
if(typeof data1 === "string"){
if(func3(data1) > 128){
const err3 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/maxLength",keyword:"maxLength",params:{limit: 128},message:"must NOT have more than 128 characters",schema:128,parentSchema:schema11.properties.name,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
if(!pattern0.test(data1)){
const err4 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$"},message:"must match pattern \""+"^[A-Za-z0-9][A-Za-z0-9_.-]*$"+"\"",schema:"^[A-Za-z0-9][A-Za-z0-9_.-]*$",parentSchema:schema11.properties.name,data:data1};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
else {
const err5 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.name.type,parentSchema:schema11.properties.name,data:data1};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data.etcd !== undefined){
let data2 = data.etcd;
if(data2 && typeof data2 == "object" && !Array.isArray(data2)){
if(data2.endpoints === undefined){
const err6 = {instancePath:instancePath+"/etcd",schemaPath:"#/properties/etcd/required",keyword:"required",params:{missingProperty: "endpoints"},message:"must have required property '"+"endpoints"+"'",schema:schema11.properties.etcd.required,parentSchema:schema11.properties.etcd,data:data2};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
for(const key1 in data2){
if(!(((((((key1 === "endpoints") || (key1 === "ca")) || (key1 === "cert")) || (key1 === "key")) || (key1 === "serverName")) || (key1 === "user")) || (key1 === "passwordFile"))){
const err7 = {instancePath:instancePath+"/etcd",schemaPath:"#/properties/etcd/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema11.properties.etcd,data:data2};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
if(data2.endpoints !== undefined){
let data3 = data2.endpoints;
if(Array.isArray(data3)){
if(data3.length > 16){
const err8 = {instancePath:instancePath+"/etcd/endpoints",schemaPath:"#/properties/etcd/properties/endpoints/maxItems",keyword:"maxItems",params:{limit: 16},message:"must NOT have more than 16 items",schema:16,parentSchema:schema11.properties.etcd.properties.endpoints,data:data3};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
if(data3.length < 1){
const err9 = {instancePath:instancePath+"/etcd/endpoints",schemaPath:"#/properties/etcd/properties/endpoints/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema11.properties.etcd.properties.endpoints,data:data3};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
const len0 = data3.length;
for(let i0=0; i0<len0; i0++){
let data4 = data3[i0];
if(typeof data4 !== "string"){
const err10 = {instancePath:instancePath+"/etcd/endpoints/" + i0,schemaPath:"#/properties/etcd/properties/endpoints/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.endpoints.items.type,parentSchema:schema11.properties.etcd.properties.endpoints.items,data:data4};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
}
else {
const err11 = {instancePath:instancePath+"/etcd/endpoints",schemaPath:"#/properties/etcd/properties/endpoints/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema11.properties.etcd.properties.endpoints.type,parentSchema:schema11.properties.etcd.properties.endpoints,data:data3};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data2.ca !== undefined){
let data5 = data2.ca;
if(typeof data5 !== "string"){
const err12 = {instancePath:instancePath+"/etcd/ca",schemaPath:"#/properties/etcd/properties/ca/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.ca.type,parentSchema:schema11.properties.etcd.properties.ca,data:data5};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
if(data2.cert !== undefined){
let data6 = data2.cert;
if(typeof data6 !== "string"){
const err13 = {instancePath:instancePath+"/etcd/cert",schemaPath:"#/properties/etcd/properties/cert/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.cert.type,parentSchema:schema11.properties.etcd.properties.cert,data:data6};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data2.key !== undefined){
let data7 = data2.key;
if(typeof data7 !== "string"){
const err14 = {instancePath:instancePath+"/etcd/key",schemaPath:"#/properties/etcd/properties/key/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.key.type,parentSchema:schema11.properties.etcd.properties.key,data:data7};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
if(data2.serverName !== undefined){
let data8 = data2.serverName;
if(typeof data8 !== "string"){
const err15 = {instancePath:instancePath+"/etcd/serverName",schemaPath:"#/properties/etcd/properties/serverName/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.serverName.type,parentSchema:schema11.properties.etcd.properties.serverName,data:data8};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
if(data2.user !== undefined){
let data9 = data2.user;
if(typeof data9 !== "string"){
const err16 = {instancePath:instancePath+"/etcd/user",schemaPath:"#/properties/etcd/properties/user/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.user.type,parentSchema:schema11.properties.etcd.properties.user,data:data9};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
if(data2.passwordFile !== undefined){
let data10 = data2.passwordFile;
if(typeof data10 !== "string"){
const err17 = {instancePath:instancePath+"/etcd/passwordFile",schemaPath:"#/properties/etcd/properties/passwordFile/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.etcd.properties.passwordFile.type,parentSchema:schema11.properties.etcd.properties.passwordFile,data:data10};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
}
}
else {
const err18 = {instancePath:instancePath+"/etcd",schemaPath:"#/properties/etcd/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema11.properties.etcd.type,parentSchema:schema11.properties.etcd,data:data2};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
}
if(data.zookeeper !== undefined){
let data11 = data.zookeeper;
if(data11 && typeof data11 == "object" && !Array.isArray(data11)){
if(data11.endpoints === undefined){
const err19 = {instancePath:instancePath+"/zookeeper",schemaPath:"#/properties/zookeeper/required",keyword:"required",params:{missingProperty: "endpoints"},message:"must have required property '"+"endpoints"+"'",schema:schema11.properties.zookeeper.required,parentSchema:schema11.properties.zookeeper,data:data11};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
for(const key2 in data11){
if(!(((key2 === "endpoints") || (key2 === "user")) || (key2 === "passwordFile"))){
const err20 = {instancePath:instancePath+"/zookeeper",schemaPath:"#/properties/zookeeper/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema11.properties.zookeeper,data:data11};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
if(data11.endpoints !== undefined){
let data12 = data11.endpoints;
if(Array.isArray(data12)){
if(data12.length > 16){
const err21 = {instancePath:instancePath+"/zookeeper/endpoints",schemaPath:"#/properties/zookeeper/properties/endpoints/maxItems",keyword:"maxItems",params:{limit: 16},message:"must NOT have more than 16 items",schema:16,parentSchema:schema11.properties.zookeeper.properties.endpoints,data:data12};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
if(data12.length < 1){
const err22 = {instancePath:instancePath+"/zookeeper/endpoints",schemaPath:"#/properties/zookeeper/properties/endpoints/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema11.properties.zookeeper.properties.endpoints,data:data12};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
const len1 = data12.length;
for(let i1=0; i1<len1; i1++){
let data13 = data12[i1];
if(typeof data13 !== "string"){
const err23 = {instancePath:instancePath+"/zookeeper/endpoints/" + i1,schemaPath:"#/properties/zookeeper/properties/endpoints/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.zookeeper.properties.endpoints.items.type,parentSchema:schema11.properties.zookeeper.properties.endpoints.items,data:data13};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
}
}
else {
const err24 = {instancePath:instancePath+"/zookeeper/endpoints",schemaPath:"#/properties/zookeeper/properties/endpoints/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema11.properties.zookeeper.properties.endpoints.type,parentSchema:schema11.properties.zookeeper.properties.endpoints,data:data12};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
}
if(data11.user !== undefined){
let data14 = data11.user;
if(typeof data14 !== "string"){
const err25 = {instancePath:instancePath+"/zookeeper/user",schemaPath:"#/properties/zookeeper/properties/user/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.zookeeper.properties.user.type,parentSchema:schema11.properties.zookeeper.properties.user,data:data14};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
}
if(data11.passwordFile !== undefined){
let data15 = data11.passwordFile;
if(typeof data15 !== "string"){
const err26 = {instancePath:instancePath+"/zookeeper/passwordFile",schemaPath:"#/properties/zookeeper/properties/passwordFile/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.zookeeper.properties.passwordFile.type,parentSchema:schema11.properties.zookeeper.properties.passwordFile,data:data15};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
}
}
else {
const err27 = {instancePath:instancePath+"/zookeeper",schemaPath:"#/properties/zookeeper/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema11.properties.zookeeper.type,parentSchema:schema11.properties.zookeeper,data:data11};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
if(data.hostName !== undefined){
let data16 = data.hostName;
if(typeof data16 === "string"){
if(func3(data16) > 128){
const err28 = {instancePath:instancePath+"/hostName",schemaPath:"#/properties/hostName/maxLength",keyword:"maxLength",params:{limit: 128},message:"must NOT have more than 128 characters",schema:128,parentSchema:schema11.properties.hostName,data:data16};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
}
else {
const err29 = {instancePath:instancePath+"/hostName",schemaPath:"#/properties/hostName/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.hostName.type,parentSchema:schema11.properties.hostName,data:data16};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
}
if(data.underlay !== undefined){
let data17 = data.underlay;
if(typeof data17 !== "string"){
const err30 = {instancePath:instancePath+"/underlay",schemaPath:"#/properties/underlay/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.properties.underlay.type,parentSchema:schema11.properties.underlay,data:data17};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
if(data.family !== undefined){
let data18 = data.family;
if(!((data18 === 4) || (data18 === 6))){
const err31 = {instancePath:instancePath+"/family",schemaPath:"#/properties/family/enum",keyword:"enum",params:{allowedValues: schema11.properties.family.enum},message:"must be equal to one of the allowed values",schema:schema11.properties.family.enum,parentSchema:schema11.properties.family,data:data18};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
}
if(data.port !== undefined){
let data19 = data.port;
if(!(((typeof data19 == "number") && (!(data19 % 1) && !isNaN(data19))) && (isFinite(data19)))){
const err32 = {instancePath:instancePath+"/port",schemaPath:"#/properties/port/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema11.properties.port.type,parentSchema:schema11.properties.port,data:data19};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
if((typeof data19 == "number") && (isFinite(data19))){
if(data19 > 65535 || isNaN(data19)){
const err33 = {instancePath:instancePath+"/port",schemaPath:"#/properties/port/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema11.properties.port,data:data19};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
if(data19 < 1 || isNaN(data19)){
const err34 = {instancePath:instancePath+"/port",schemaPath:"#/properties/port/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema11.properties.port,data:data19};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
}
if(data.vnis !== undefined){
let data20 = data.vnis;
if(Array.isArray(data20)){
if(data20.length > 2){
const err35 = {instancePath:instancePath+"/vnis",schemaPath:"#/properties/vnis/maxItems",keyword:"maxItems",params:{limit: 2},message:"must NOT have more than 2 items",schema:2,parentSchema:schema11.properties.vnis,data:data20};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
if(data20.length < 2){
const err36 = {instancePath:instancePath+"/vnis",schemaPath:"#/properties/vnis/minItems",keyword:"minItems",params:{limit: 2},message:"must NOT have fewer than 2 items",schema:2,parentSchema:schema11.properties.vnis,data:data20};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
const len2 = data20.length;
for(let i2=0; i2<len2; i2++){
let data21 = data20[i2];
if(!(((typeof data21 == "number") && (!(data21 % 1) && !isNaN(data21))) && (isFinite(data21)))){
const err37 = {instancePath:instancePath+"/vnis/" + i2,schemaPath:"#/properties/vnis/items/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema11.properties.vnis.items.type,parentSchema:schema11.properties.vnis.items,data:data21};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
if((typeof data21 == "number") && (isFinite(data21))){
if(data21 > 16777215 || isNaN(data21)){
const err38 = {instancePath:instancePath+"/vnis/" + i2,schemaPath:"#/properties/vnis/items/maximum",keyword:"maximum",params:{comparison: "<=", limit: 16777215},message:"must be <= 16777215",schema:16777215,parentSchema:schema11.properties.vnis.items,data:data21};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
if(data21 < 1 || isNaN(data21)){
const err39 = {instancePath:instancePath+"/vnis/" + i2,schemaPath:"#/properties/vnis/items/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema11.properties.vnis.items,data:data21};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
}
}
}
else {
const err40 = {instancePath:instancePath+"/vnis",schemaPath:"#/properties/vnis/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema11.properties.vnis.type,parentSchema:schema11.properties.vnis,data:data20};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
}
if(data.graceSeconds !== undefined){
let data22 = data.graceSeconds;
if(!(((typeof data22 == "number") && (!(data22 % 1) && !isNaN(data22))) && (isFinite(data22)))){
const err41 = {instancePath:instancePath+"/graceSeconds",schemaPath:"#/properties/graceSeconds/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema11.properties.graceSeconds.type,parentSchema:schema11.properties.graceSeconds,data:data22};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
if((typeof data22 == "number") && (isFinite(data22))){
if(data22 > 86400 || isNaN(data22)){
const err42 = {instancePath:instancePath+"/graceSeconds",schemaPath:"#/properties/graceSeconds/maximum",keyword:"maximum",params:{comparison: "<=", limit: 86400},message:"must be <= 86400",schema:86400,parentSchema:schema11.properties.graceSeconds,data:data22};
if(vErrors === null){
vErrors = [err42];
}
else {
vErrors.push(err42);
}
errors++;
}
if(data22 < 30 || isNaN(data22)){
const err43 = {instancePath:instancePath+"/graceSeconds",schemaPath:"#/properties/graceSeconds/minimum",keyword:"minimum",params:{comparison: ">=", limit: 30},message:"must be >= 30",schema:30,parentSchema:schema11.properties.graceSeconds,data:data22};
if(vErrors === null){
vErrors = [err43];
}
else {
vErrors.push(err43);
}
errors++;
}
}
}
}
else {
const err44 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema11.type,parentSchema:schema11,data};
if(vErrors === null){
vErrors = [err44];
}
else {
vErrors.push(err44);
}
errors++;
}
validate10.errors = vErrors;
return errors === 0;
}

export const ipRanges = validate11;
const schema12 = {"$schema":"http://json-schema.org/draft-07/schema#","$id":"ip-ranges","title":"Range sets: an attachment gets one address of each (ipam.ranges, runtimeConfig.ipRanges)","type":["array","null"],"items":{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false,"required":["subnet"],"properties":{"subnet":{"type":"string"},"rangeStart":{"type":["string","null"]},"rangeEnd":{"type":["string","null"]},"gateway":{"type":["string","null"]}}}}};

function validate11(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="ip-ranges" */;
let vErrors = null;
let errors = 0;
if((!(Array.isArray(data))) && (data !== null)){
const err0 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: schema12.type},message:"must be array,null",schema:schema12.type,parentSchema:schema12,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
if(Array.isArray(data)){
const len0 = data.length;
for(let i0=0; i0<len0; i0++){
let data0 = data[i0];
if(Array.isArray(data0)){
if(data0.length < 1){
const err1 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema12.items,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
const len1 = data0.length;
for(let i1=0; i1<len1; i1++){
let data1 = data0[i1];
if(data1 && typeof data1 == "object" && !Array.isArray(data1)){
if(data1.subnet === undefined){
const err2 = {instancePath:instancePath+"/" + i0+"/" + i1,schemaPath:"#/items/items/required",keyword:"required",params:{missingProperty: "subnet"},message:"must have required property '"+"subnet"+"'",schema:schema12.items.items.required,parentSchema:schema12.items.items,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
for(const key0 in data1){
if(!((((key0 === "subnet") || (key0 === "rangeStart")) || (key0 === "rangeEnd")) || (key0 === "gateway"))){
const err3 = {instancePath:instancePath+"/" + i0+"/" + i1,schemaPath:"#/items/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema12.items.items,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data1.subnet !== undefined){
let data2 = data1.subnet;
if(typeof data2 !== "string"){
const err4 = {instancePath:instancePath+"/" + i0+"/" + i1+"/subnet",schemaPath:"#/items/items/properties/subnet/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema12.items.items.properties.subnet.type,parentSchema:schema12.items.items.properties.subnet,data:data2};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data1.rangeStart !== undefined){
let data3 = data1.rangeStart;
if((typeof data3 !== "string") && (data3 !== null)){
const err5 = {instancePath:instancePath+"/" + i0+"/" + i1+"/rangeStart",schemaPath:"#/items/items/properties/rangeStart/type",keyword:"type",params:{type: schema12.items.items.properties.rangeStart.type},message:"must be string,null",schema:schema12.items.items.properties.rangeStart.type,parentSchema:schema12.items.items.properties.rangeStart,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data1.rangeEnd !== undefined){
let data4 = data1.rangeEnd;
if((typeof data4 !== "string") && (data4 !== null)){
const err6 = {instancePath:instancePath+"/" + i0+"/" + i1+"/rangeEnd",schemaPath:"#/items/items/properties/rangeEnd/type",keyword:"type",params:{type: schema12.items.items.properties.rangeEnd.type},message:"must be string,null",schema:schema12.items.items.properties.rangeEnd.type,parentSchema:schema12.items.items.properties.rangeEnd,data:data4};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data1.gateway !== undefined){
let data5 = data1.gateway;
if((typeof data5 !== "string") && (data5 !== null)){
const err7 = {instancePath:instancePath+"/" + i0+"/" + i1+"/gateway",schemaPath:"#/items/items/properties/gateway/type",keyword:"type",params:{type: schema12.items.items.properties.gateway.type},message:"must be string,null",schema:schema12.items.items.properties.gateway.type,parentSchema:schema12.items.items.properties.gateway,data:data5};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
}
else {
const err8 = {instancePath:instancePath+"/" + i0+"/" + i1,schemaPath:"#/items/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema12.items.items.type,parentSchema:schema12.items.items,data:data1};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
}
else {
const err9 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema12.items.type,parentSchema:schema12.items,data:data0};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
}
validate11.errors = vErrors;
return errors === 0;
}

export const ipamDhcp = validate12;
const schema13 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"ipam of type dhcp","type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},"name":{"type":["string","null"]},"daemonSocketPath":{"type":["string","null"]},"priority":{"type":["integer","null"],"minimum":0,"maximum":4294967295},"provide":{"type":["array","null"],"items":{"type":"object","additionalProperties":false,"required":["option"],"properties":{"option":{"type":["string","integer"]},"value":{"type":["string","null"]},"fromArg":{"type":["string","null"]}}}},"request":{"type":["array","null"],"items":{"type":"object","additionalProperties":false,"required":["option"],"properties":{"option":{"type":["string","integer"]},"skipDefault":{"type":["boolean","null"]}}}}}};

function validate12(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!((((((key0 === "type") || (key0 === "name")) || (key0 === "daemonSocketPath")) || (key0 === "priority")) || (key0 === "provide")) || (key0 === "request"))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema13,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.type !== undefined){
let data0 = data.type;
if(typeof data0 !== "string"){
const err1 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema13.properties.type.type,parentSchema:schema13.properties.type,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.name !== undefined){
let data1 = data.name;
if((typeof data1 !== "string") && (data1 !== null)){
const err2 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: schema13.properties.name.type},message:"must be string,null",schema:schema13.properties.name.type,parentSchema:schema13.properties.name,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.daemonSocketPath !== undefined){
let data2 = data.daemonSocketPath;
if((typeof data2 !== "string") && (data2 !== null)){
const err3 = {instancePath:instancePath+"/daemonSocketPath",schemaPath:"#/properties/daemonSocketPath/type",keyword:"type",params:{type: schema13.properties.daemonSocketPath.type},message:"must be string,null",schema:schema13.properties.daemonSocketPath.type,parentSchema:schema13.properties.daemonSocketPath,data:data2};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data.priority !== undefined){
let data3 = data.priority;
if((!(((typeof data3 == "number") && (!(data3 % 1) && !isNaN(data3))) && (isFinite(data3)))) && (data3 !== null)){
const err4 = {instancePath:instancePath+"/priority",schemaPath:"#/properties/priority/type",keyword:"type",params:{type: schema13.properties.priority.type},message:"must be integer,null",schema:schema13.properties.priority.type,parentSchema:schema13.properties.priority,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
if((typeof data3 == "number") && (isFinite(data3))){
if(data3 > 4294967295 || isNaN(data3)){
const err5 = {instancePath:instancePath+"/priority",schemaPath:"#/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema13.properties.priority,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
if(data3 < 0 || isNaN(data3)){
const err6 = {instancePath:instancePath+"/priority",schemaPath:"#/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema13.properties.priority,data:data3};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
}
if(data.provide !== undefined){
let data4 = data.provide;
if((!(Array.isArray(data4))) && (data4 !== null)){
const err7 = {instancePath:instancePath+"/provide",schemaPath:"#/properties/provide/type",keyword:"type",params:{type: schema13.properties.provide.type},message:"must be array,null",schema:schema13.properties.provide.type,parentSchema:schema13.properties.provide,data:data4};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
if(Array.isArray(data4)){
const len0 = data4.length;
for(let i0=0; i0<len0; i0++){
let data5 = data4[i0];
if(data5 && typeof data5 == "object" && !Array.isArray(data5)){
if(data5.option === undefined){
const err8 = {instancePath:instancePath+"/provide/" + i0,schemaPath:"#/properties/provide/items/required",keyword:"required",params:{missingProperty: "option"},message:"must have required property '"+"option"+"'",schema:schema13.properties.provide.items.required,parentSchema:schema13.properties.provide.items,data:data5};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
for(const key1 in data5){
if(!(((key1 === "option") || (key1 === "value")) || (key1 === "fromArg"))){
const err9 = {instancePath:instancePath+"/provide/" + i0,schemaPath:"#/properties/provide/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema13.properties.provide.items,data:data5};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
if(data5.option !== undefined){
let data6 = data5.option;
if((typeof data6 !== "string") && (!(((typeof data6 == "number") && (!(data6 % 1) && !isNaN(data6))) && (isFinite(data6))))){
const err10 = {instancePath:instancePath+"/provide/" + i0+"/option",schemaPath:"#/properties/provide/items/properties/option/type",keyword:"type",params:{type: schema13.properties.provide.items.properties.option.type},message:"must be string,integer",schema:schema13.properties.provide.items.properties.option.type,parentSchema:schema13.properties.provide.items.properties.option,data:data6};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
if(data5.value !== undefined){
let data7 = data5.value;
if((typeof data7 !== "string") && (data7 !== null)){
const err11 = {instancePath:instancePath+"/provide/" + i0+"/value",schemaPath:"#/properties/provide/items/properties/value/type",keyword:"type",params:{type: schema13.properties.provide.items.properties.value.type},message:"must be string,null",schema:schema13.properties.provide.items.properties.value.type,parentSchema:schema13.properties.provide.items.properties.value,data:data7};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data5.fromArg !== undefined){
let data8 = data5.fromArg;
if((typeof data8 !== "string") && (data8 !== null)){
const err12 = {instancePath:instancePath+"/provide/" + i0+"/fromArg",schemaPath:"#/properties/provide/items/properties/fromArg/type",keyword:"type",params:{type: schema13.properties.provide.items.properties.fromArg.type},message:"must be string,null",schema:schema13.properties.provide.items.properties.fromArg.type,parentSchema:schema13.properties.provide.items.properties.fromArg,data:data8};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
}
else {
const err13 = {instancePath:instancePath+"/provide/" + i0,schemaPath:"#/properties/provide/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema13.properties.provide.items.type,parentSchema:schema13.properties.provide.items,data:data5};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
}
}
if(data.request !== undefined){
let data9 = data.request;
if((!(Array.isArray(data9))) && (data9 !== null)){
const err14 = {instancePath:instancePath+"/request",schemaPath:"#/properties/request/type",keyword:"type",params:{type: schema13.properties.request.type},message:"must be array,null",schema:schema13.properties.request.type,parentSchema:schema13.properties.request,data:data9};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
if(Array.isArray(data9)){
const len1 = data9.length;
for(let i1=0; i1<len1; i1++){
let data10 = data9[i1];
if(data10 && typeof data10 == "object" && !Array.isArray(data10)){
if(data10.option === undefined){
const err15 = {instancePath:instancePath+"/request/" + i1,schemaPath:"#/properties/request/items/required",keyword:"required",params:{missingProperty: "option"},message:"must have required property '"+"option"+"'",schema:schema13.properties.request.items.required,parentSchema:schema13.properties.request.items,data:data10};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
for(const key2 in data10){
if(!((key2 === "option") || (key2 === "skipDefault"))){
const err16 = {instancePath:instancePath+"/request/" + i1,schemaPath:"#/properties/request/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema13.properties.request.items,data:data10};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
if(data10.option !== undefined){
let data11 = data10.option;
if((typeof data11 !== "string") && (!(((typeof data11 == "number") && (!(data11 % 1) && !isNaN(data11))) && (isFinite(data11))))){
const err17 = {instancePath:instancePath+"/request/" + i1+"/option",schemaPath:"#/properties/request/items/properties/option/type",keyword:"type",params:{type: schema13.properties.request.items.properties.option.type},message:"must be string,integer",schema:schema13.properties.request.items.properties.option.type,parentSchema:schema13.properties.request.items.properties.option,data:data11};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
}
if(data10.skipDefault !== undefined){
let data12 = data10.skipDefault;
if((typeof data12 !== "boolean") && (data12 !== null)){
const err18 = {instancePath:instancePath+"/request/" + i1+"/skipDefault",schemaPath:"#/properties/request/items/properties/skipDefault/type",keyword:"type",params:{type: schema13.properties.request.items.properties.skipDefault.type},message:"must be boolean,null",schema:schema13.properties.request.items.properties.skipDefault.type,parentSchema:schema13.properties.request.items.properties.skipDefault,data:data12};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
}
}
else {
const err19 = {instancePath:instancePath+"/request/" + i1,schemaPath:"#/properties/request/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema13.properties.request.items.type,parentSchema:schema13.properties.request.items,data:data10};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
}
}
}
else {
const err20 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema13.type,parentSchema:schema13,data};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
validate12.errors = vErrors;
return errors === 0;
}

export const ipamHostLocal = validate13;
const schema14 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"ipam of type host-local, and of the built-in allocation","type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},"name":{"type":["string","null"]},"subnet":{"type":["string","null"]},"rangeStart":{"type":["string","null"]},"rangeEnd":{"type":["string","null"]},"gateway":{"type":["string","null"]},"ranges":{"$ref":"ip-ranges"},"routes":{"$ref":"ipam-routes"},"dataDir":{"type":["string","null"]},"resolvConf":{"type":["string","null"]},"writeFiles":{"type":["boolean","null"]}}};
const schema16 = {"$schema":"http://json-schema.org/draft-07/schema#","$id":"ipam-routes","title":"Routes of a CNI configuration; mtu and the keys after it are CNI 1.1.0's","type":["array","null"],"items":{"type":"object","additionalProperties":false,"required":["dst"],"properties":{"dst":{"type":"string"},"gw":{"type":["string","null"]},"mtu":{"type":["integer","null"],"minimum":0,"maximum":65535},"advmss":{"type":["integer","null"],"minimum":0,"maximum":65535},"priority":{"type":["integer","null"],"minimum":0,"maximum":4294967295},"table":{"type":["integer","null"],"minimum":0,"maximum":4294967295},"scope":{"type":["integer","null"],"minimum":0,"maximum":255}}}};

function validate13(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(func2.call(schema14.properties, key0))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema14,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.type !== undefined){
let data0 = data.type;
if(typeof data0 !== "string"){
const err1 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema14.properties.type.type,parentSchema:schema14.properties.type,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.name !== undefined){
let data1 = data.name;
if((typeof data1 !== "string") && (data1 !== null)){
const err2 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: schema14.properties.name.type},message:"must be string,null",schema:schema14.properties.name.type,parentSchema:schema14.properties.name,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.subnet !== undefined){
let data2 = data.subnet;
if((typeof data2 !== "string") && (data2 !== null)){
const err3 = {instancePath:instancePath+"/subnet",schemaPath:"#/properties/subnet/type",keyword:"type",params:{type: schema14.properties.subnet.type},message:"must be string,null",schema:schema14.properties.subnet.type,parentSchema:schema14.properties.subnet,data:data2};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data.rangeStart !== undefined){
let data3 = data.rangeStart;
if((typeof data3 !== "string") && (data3 !== null)){
const err4 = {instancePath:instancePath+"/rangeStart",schemaPath:"#/properties/rangeStart/type",keyword:"type",params:{type: schema14.properties.rangeStart.type},message:"must be string,null",schema:schema14.properties.rangeStart.type,parentSchema:schema14.properties.rangeStart,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data.rangeEnd !== undefined){
let data4 = data.rangeEnd;
if((typeof data4 !== "string") && (data4 !== null)){
const err5 = {instancePath:instancePath+"/rangeEnd",schemaPath:"#/properties/rangeEnd/type",keyword:"type",params:{type: schema14.properties.rangeEnd.type},message:"must be string,null",schema:schema14.properties.rangeEnd.type,parentSchema:schema14.properties.rangeEnd,data:data4};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data.gateway !== undefined){
let data5 = data.gateway;
if((typeof data5 !== "string") && (data5 !== null)){
const err6 = {instancePath:instancePath+"/gateway",schemaPath:"#/properties/gateway/type",keyword:"type",params:{type: schema14.properties.gateway.type},message:"must be string,null",schema:schema14.properties.gateway.type,parentSchema:schema14.properties.gateway,data:data5};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data.ranges !== undefined){
let data6 = data.ranges;
if((!(Array.isArray(data6))) && (data6 !== null)){
const err7 = {instancePath:instancePath+"/ranges",schemaPath:"ip-ranges/type",keyword:"type",params:{type: schema12.type},message:"must be array,null",schema:schema12.type,parentSchema:schema12,data:data6};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
if(Array.isArray(data6)){
const len0 = data6.length;
for(let i0=0; i0<len0; i0++){
let data7 = data6[i0];
if(Array.isArray(data7)){
if(data7.length < 1){
const err8 = {instancePath:instancePath+"/ranges/" + i0,schemaPath:"ip-ranges/items/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema12.items,data:data7};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
const len1 = data7.length;
for(let i1=0; i1<len1; i1++){
let data8 = data7[i1];
if(data8 && typeof data8 == "object" && !Array.isArray(data8)){
if(data8.subnet === undefined){
const err9 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1,schemaPath:"ip-ranges/items/items/required",keyword:"required",params:{missingProperty: "subnet"},message:"must have required property '"+"subnet"+"'",schema:schema12.items.items.required,parentSchema:schema12.items.items,data:data8};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
for(const key1 in data8){
if(!((((key1 === "subnet") || (key1 === "rangeStart")) || (key1 === "rangeEnd")) || (key1 === "gateway"))){
const err10 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1,schemaPath:"ip-ranges/items/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema12.items.items,data:data8};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
if(data8.subnet !== undefined){
let data9 = data8.subnet;
if(typeof data9 !== "string"){
const err11 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/subnet",schemaPath:"ip-ranges/items/items/properties/subnet/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema12.items.items.properties.subnet.type,parentSchema:schema12.items.items.properties.subnet,data:data9};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data8.rangeStart !== undefined){
let data10 = data8.rangeStart;
if((typeof data10 !== "string") && (data10 !== null)){
const err12 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/rangeStart",schemaPath:"ip-ranges/items/items/properties/rangeStart/type",keyword:"type",params:{type: schema12.items.items.properties.rangeStart.type},message:"must be string,null",schema:schema12.items.items.properties.rangeStart.type,parentSchema:schema12.items.items.properties.rangeStart,data:data10};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
if(data8.rangeEnd !== undefined){
let data11 = data8.rangeEnd;
if((typeof data11 !== "string") && (data11 !== null)){
const err13 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/rangeEnd",schemaPath:"ip-ranges/items/items/properties/rangeEnd/type",keyword:"type",params:{type: schema12.items.items.properties.rangeEnd.type},message:"must be string,null",schema:schema12.items.items.properties.rangeEnd.type,parentSchema:schema12.items.items.properties.rangeEnd,data:data11};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data8.gateway !== undefined){
let data12 = data8.gateway;
if((typeof data12 !== "string") && (data12 !== null)){
const err14 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/gateway",schemaPath:"ip-ranges/items/items/properties/gateway/type",keyword:"type",params:{type: schema12.items.items.properties.gateway.type},message:"must be string,null",schema:schema12.items.items.properties.gateway.type,parentSchema:schema12.items.items.properties.gateway,data:data12};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
}
else {
const err15 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1,schemaPath:"ip-ranges/items/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema12.items.items.type,parentSchema:schema12.items.items,data:data8};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
}
else {
const err16 = {instancePath:instancePath+"/ranges/" + i0,schemaPath:"ip-ranges/items/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema12.items.type,parentSchema:schema12.items,data:data7};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
}
if(data.routes !== undefined){
let data13 = data.routes;
if((!(Array.isArray(data13))) && (data13 !== null)){
const err17 = {instancePath:instancePath+"/routes",schemaPath:"ipam-routes/type",keyword:"type",params:{type: schema16.type},message:"must be array,null",schema:schema16.type,parentSchema:schema16,data:data13};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if(Array.isArray(data13)){
const len2 = data13.length;
for(let i2=0; i2<len2; i2++){
let data14 = data13[i2];
if(data14 && typeof data14 == "object" && !Array.isArray(data14)){
if(data14.dst === undefined){
const err18 = {instancePath:instancePath+"/routes/" + i2,schemaPath:"ipam-routes/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema16.items.required,parentSchema:schema16.items,data:data14};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
for(const key2 in data14){
if(!(((((((key2 === "dst") || (key2 === "gw")) || (key2 === "mtu")) || (key2 === "advmss")) || (key2 === "priority")) || (key2 === "table")) || (key2 === "scope"))){
const err19 = {instancePath:instancePath+"/routes/" + i2,schemaPath:"ipam-routes/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema16.items,data:data14};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
if(data14.dst !== undefined){
let data15 = data14.dst;
if(typeof data15 !== "string"){
const err20 = {instancePath:instancePath+"/routes/" + i2+"/dst",schemaPath:"ipam-routes/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.items.properties.dst.type,parentSchema:schema16.items.properties.dst,data:data15};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
if(data14.gw !== undefined){
let data16 = data14.gw;
if((typeof data16 !== "string") && (data16 !== null)){
const err21 = {instancePath:instancePath+"/routes/" + i2+"/gw",schemaPath:"ipam-routes/items/properties/gw/type",keyword:"type",params:{type: schema16.items.properties.gw.type},message:"must be string,null",schema:schema16.items.properties.gw.type,parentSchema:schema16.items.properties.gw,data:data16};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
}
if(data14.mtu !== undefined){
let data17 = data14.mtu;
if((!(((typeof data17 == "number") && (!(data17 % 1) && !isNaN(data17))) && (isFinite(data17)))) && (data17 !== null)){
const err22 = {instancePath:instancePath+"/routes/" + i2+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/type",keyword:"type",params:{type: schema16.items.properties.mtu.type},message:"must be integer,null",schema:schema16.items.properties.mtu.type,parentSchema:schema16.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
if((typeof data17 == "number") && (isFinite(data17))){
if(data17 > 65535 || isNaN(data17)){
const err23 = {instancePath:instancePath+"/routes/" + i2+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if(data17 < 0 || isNaN(data17)){
const err24 = {instancePath:instancePath+"/routes/" + i2+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
}
}
if(data14.advmss !== undefined){
let data18 = data14.advmss;
if((!(((typeof data18 == "number") && (!(data18 % 1) && !isNaN(data18))) && (isFinite(data18)))) && (data18 !== null)){
const err25 = {instancePath:instancePath+"/routes/" + i2+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/type",keyword:"type",params:{type: schema16.items.properties.advmss.type},message:"must be integer,null",schema:schema16.items.properties.advmss.type,parentSchema:schema16.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
if((typeof data18 == "number") && (isFinite(data18))){
if(data18 > 65535 || isNaN(data18)){
const err26 = {instancePath:instancePath+"/routes/" + i2+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
if(data18 < 0 || isNaN(data18)){
const err27 = {instancePath:instancePath+"/routes/" + i2+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
}
if(data14.priority !== undefined){
let data19 = data14.priority;
if((!(((typeof data19 == "number") && (!(data19 % 1) && !isNaN(data19))) && (isFinite(data19)))) && (data19 !== null)){
const err28 = {instancePath:instancePath+"/routes/" + i2+"/priority",schemaPath:"ipam-routes/items/properties/priority/type",keyword:"type",params:{type: schema16.items.properties.priority.type},message:"must be integer,null",schema:schema16.items.properties.priority.type,parentSchema:schema16.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
if((typeof data19 == "number") && (isFinite(data19))){
if(data19 > 4294967295 || isNaN(data19)){
const err29 = {instancePath:instancePath+"/routes/" + i2+"/priority",schemaPath:"ipam-routes/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
if(data19 < 0 || isNaN(data19)){
const err30 = {instancePath:instancePath+"/routes/" + i2+"/priority",schemaPath:"ipam-routes/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
}
if(data14.table !== undefined){
let data20 = data14.table;
if((!(((typeof data20 == "number") && (!(data20 % 1) && !isNaN(data20))) && (isFinite(data20)))) && (data20 !== null)){
const err31 = {instancePath:instancePath+"/routes/" + i2+"/table",schemaPath:"ipam-routes/items/properties/table/type",keyword:"type",params:{type: schema16.items.properties.table.type},message:"must be integer,null",schema:schema16.items.properties.table.type,parentSchema:schema16.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
if((typeof data20 == "number") && (isFinite(data20))){
if(data20 > 4294967295 || isNaN(data20)){
const err32 = {instancePath:instancePath+"/routes/" + i2+"/table",schemaPath:"ipam-routes/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
if(data20 < 0 || isNaN(data20)){
const err33 = {instancePath:instancePath+"/routes/" + i2+"/table",schemaPath:"ipam-routes/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
if(data14.scope !== undefined){
let data21 = data14.scope;
if((!(((typeof data21 == "number") && (!(data21 % 1) && !isNaN(data21))) && (isFinite(data21)))) && (data21 !== null)){
const err34 = {instancePath:instancePath+"/routes/" + i2+"/scope",schemaPath:"ipam-routes/items/properties/scope/type",keyword:"type",params:{type: schema16.items.properties.scope.type},message:"must be integer,null",schema:schema16.items.properties.scope.type,parentSchema:schema16.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
if((typeof data21 == "number") && (isFinite(data21))){
if(data21 > 255 || isNaN(data21)){
const err35 = {instancePath:instancePath+"/routes/" + i2+"/scope",schemaPath:"ipam-routes/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema16.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
if(data21 < 0 || isNaN(data21)){
const err36 = {instancePath:instancePath+"/routes/" + i2+"/scope",schemaPath:"ipam-routes/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
}
}
else {
const err37 = {instancePath:instancePath+"/routes/" + i2,schemaPath:"ipam-routes/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema16.items.type,parentSchema:schema16.items,data:data14};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
}
}
}
if(data.dataDir !== undefined){
let data22 = data.dataDir;
if((typeof data22 !== "string") && (data22 !== null)){
const err38 = {instancePath:instancePath+"/dataDir",schemaPath:"#/properties/dataDir/type",keyword:"type",params:{type: schema14.properties.dataDir.type},message:"must be string,null",schema:schema14.properties.dataDir.type,parentSchema:schema14.properties.dataDir,data:data22};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
}
if(data.resolvConf !== undefined){
let data23 = data.resolvConf;
if((typeof data23 !== "string") && (data23 !== null)){
const err39 = {instancePath:instancePath+"/resolvConf",schemaPath:"#/properties/resolvConf/type",keyword:"type",params:{type: schema14.properties.resolvConf.type},message:"must be string,null",schema:schema14.properties.resolvConf.type,parentSchema:schema14.properties.resolvConf,data:data23};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
}
if(data.writeFiles !== undefined){
let data24 = data.writeFiles;
if((typeof data24 !== "boolean") && (data24 !== null)){
const err40 = {instancePath:instancePath+"/writeFiles",schemaPath:"#/properties/writeFiles/type",keyword:"type",params:{type: schema14.properties.writeFiles.type},message:"must be boolean,null",schema:schema14.properties.writeFiles.type,parentSchema:schema14.properties.writeFiles,data:data24};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
}
}
else {
const err41 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema14.type,parentSchema:schema14,data};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
validate13.errors = vErrors;
return errors === 0;
}

export const ipamRemote = validate14;
const schema17 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"ipam of type remote: an IPAM plugin that was written for Docker","type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},"plugin":{"type":"string"},"subnet":{"type":"string"},"ipRange":{"type":"string"},"gateway":{"type":"string"},"pools":{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false,"properties":{"family":{"enum":[4,6]},"subnet":{"type":"string"},"ipRange":{"type":"string"},"gateway":{"type":"string"}}}},"options":{"type":"object","additionalProperties":{"type":["string","number","boolean"]}},"routes":{"$ref":"ipam-routes"}}};

function validate14(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!((((((((key0 === "type") || (key0 === "plugin")) || (key0 === "subnet")) || (key0 === "ipRange")) || (key0 === "gateway")) || (key0 === "pools")) || (key0 === "options")) || (key0 === "routes"))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema17,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.type !== undefined){
let data0 = data.type;
if(typeof data0 !== "string"){
const err1 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.type.type,parentSchema:schema17.properties.type,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.plugin !== undefined){
let data1 = data.plugin;
if(typeof data1 !== "string"){
const err2 = {instancePath:instancePath+"/plugin",schemaPath:"#/properties/plugin/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.plugin.type,parentSchema:schema17.properties.plugin,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.subnet !== undefined){
let data2 = data.subnet;
if(typeof data2 !== "string"){
const err3 = {instancePath:instancePath+"/subnet",schemaPath:"#/properties/subnet/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.subnet.type,parentSchema:schema17.properties.subnet,data:data2};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data.ipRange !== undefined){
let data3 = data.ipRange;
if(typeof data3 !== "string"){
const err4 = {instancePath:instancePath+"/ipRange",schemaPath:"#/properties/ipRange/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.ipRange.type,parentSchema:schema17.properties.ipRange,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data.gateway !== undefined){
let data4 = data.gateway;
if(typeof data4 !== "string"){
const err5 = {instancePath:instancePath+"/gateway",schemaPath:"#/properties/gateway/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.gateway.type,parentSchema:schema17.properties.gateway,data:data4};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data.pools !== undefined){
let data5 = data.pools;
if(Array.isArray(data5)){
if(data5.length < 1){
const err6 = {instancePath:instancePath+"/pools",schemaPath:"#/properties/pools/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema17.properties.pools,data:data5};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
const len0 = data5.length;
for(let i0=0; i0<len0; i0++){
let data6 = data5[i0];
if(data6 && typeof data6 == "object" && !Array.isArray(data6)){
for(const key1 in data6){
if(!((((key1 === "family") || (key1 === "subnet")) || (key1 === "ipRange")) || (key1 === "gateway"))){
const err7 = {instancePath:instancePath+"/pools/" + i0,schemaPath:"#/properties/pools/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema17.properties.pools.items,data:data6};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
if(data6.family !== undefined){
let data7 = data6.family;
if(!((data7 === 4) || (data7 === 6))){
const err8 = {instancePath:instancePath+"/pools/" + i0+"/family",schemaPath:"#/properties/pools/items/properties/family/enum",keyword:"enum",params:{allowedValues: schema17.properties.pools.items.properties.family.enum},message:"must be equal to one of the allowed values",schema:schema17.properties.pools.items.properties.family.enum,parentSchema:schema17.properties.pools.items.properties.family,data:data7};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
if(data6.subnet !== undefined){
let data8 = data6.subnet;
if(typeof data8 !== "string"){
const err9 = {instancePath:instancePath+"/pools/" + i0+"/subnet",schemaPath:"#/properties/pools/items/properties/subnet/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.pools.items.properties.subnet.type,parentSchema:schema17.properties.pools.items.properties.subnet,data:data8};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
if(data6.ipRange !== undefined){
let data9 = data6.ipRange;
if(typeof data9 !== "string"){
const err10 = {instancePath:instancePath+"/pools/" + i0+"/ipRange",schemaPath:"#/properties/pools/items/properties/ipRange/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.pools.items.properties.ipRange.type,parentSchema:schema17.properties.pools.items.properties.ipRange,data:data9};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
if(data6.gateway !== undefined){
let data10 = data6.gateway;
if(typeof data10 !== "string"){
const err11 = {instancePath:instancePath+"/pools/" + i0+"/gateway",schemaPath:"#/properties/pools/items/properties/gateway/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema17.properties.pools.items.properties.gateway.type,parentSchema:schema17.properties.pools.items.properties.gateway,data:data10};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
}
else {
const err12 = {instancePath:instancePath+"/pools/" + i0,schemaPath:"#/properties/pools/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema17.properties.pools.items.type,parentSchema:schema17.properties.pools.items,data:data6};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
}
else {
const err13 = {instancePath:instancePath+"/pools",schemaPath:"#/properties/pools/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema17.properties.pools.type,parentSchema:schema17.properties.pools,data:data5};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data.options !== undefined){
let data11 = data.options;
if(data11 && typeof data11 == "object" && !Array.isArray(data11)){
for(const key2 in data11){
let data12 = data11[key2];
if(((typeof data12 !== "string") && (!((typeof data12 == "number") && (isFinite(data12))))) && (typeof data12 !== "boolean")){
const err14 = {instancePath:instancePath+"/options/" + key2.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/options/additionalProperties/type",keyword:"type",params:{type: schema17.properties.options.additionalProperties.type},message:"must be string,number,boolean",schema:schema17.properties.options.additionalProperties.type,parentSchema:schema17.properties.options.additionalProperties,data:data12};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
}
else {
const err15 = {instancePath:instancePath+"/options",schemaPath:"#/properties/options/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema17.properties.options.type,parentSchema:schema17.properties.options,data:data11};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
if(data.routes !== undefined){
let data13 = data.routes;
if((!(Array.isArray(data13))) && (data13 !== null)){
const err16 = {instancePath:instancePath+"/routes",schemaPath:"ipam-routes/type",keyword:"type",params:{type: schema16.type},message:"must be array,null",schema:schema16.type,parentSchema:schema16,data:data13};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
if(Array.isArray(data13)){
const len1 = data13.length;
for(let i1=0; i1<len1; i1++){
let data14 = data13[i1];
if(data14 && typeof data14 == "object" && !Array.isArray(data14)){
if(data14.dst === undefined){
const err17 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema16.items.required,parentSchema:schema16.items,data:data14};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
for(const key3 in data14){
if(!(((((((key3 === "dst") || (key3 === "gw")) || (key3 === "mtu")) || (key3 === "advmss")) || (key3 === "priority")) || (key3 === "table")) || (key3 === "scope"))){
const err18 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties",schema:false,parentSchema:schema16.items,data:data14};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
}
if(data14.dst !== undefined){
let data15 = data14.dst;
if(typeof data15 !== "string"){
const err19 = {instancePath:instancePath+"/routes/" + i1+"/dst",schemaPath:"ipam-routes/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.items.properties.dst.type,parentSchema:schema16.items.properties.dst,data:data15};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
if(data14.gw !== undefined){
let data16 = data14.gw;
if((typeof data16 !== "string") && (data16 !== null)){
const err20 = {instancePath:instancePath+"/routes/" + i1+"/gw",schemaPath:"ipam-routes/items/properties/gw/type",keyword:"type",params:{type: schema16.items.properties.gw.type},message:"must be string,null",schema:schema16.items.properties.gw.type,parentSchema:schema16.items.properties.gw,data:data16};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
if(data14.mtu !== undefined){
let data17 = data14.mtu;
if((!(((typeof data17 == "number") && (!(data17 % 1) && !isNaN(data17))) && (isFinite(data17)))) && (data17 !== null)){
const err21 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/type",keyword:"type",params:{type: schema16.items.properties.mtu.type},message:"must be integer,null",schema:schema16.items.properties.mtu.type,parentSchema:schema16.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
if((typeof data17 == "number") && (isFinite(data17))){
if(data17 > 65535 || isNaN(data17)){
const err22 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
if(data17 < 0 || isNaN(data17)){
const err23 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
}
}
if(data14.advmss !== undefined){
let data18 = data14.advmss;
if((!(((typeof data18 == "number") && (!(data18 % 1) && !isNaN(data18))) && (isFinite(data18)))) && (data18 !== null)){
const err24 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/type",keyword:"type",params:{type: schema16.items.properties.advmss.type},message:"must be integer,null",schema:schema16.items.properties.advmss.type,parentSchema:schema16.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
if((typeof data18 == "number") && (isFinite(data18))){
if(data18 > 65535 || isNaN(data18)){
const err25 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
if(data18 < 0 || isNaN(data18)){
const err26 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
}
}
if(data14.priority !== undefined){
let data19 = data14.priority;
if((!(((typeof data19 == "number") && (!(data19 % 1) && !isNaN(data19))) && (isFinite(data19)))) && (data19 !== null)){
const err27 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/type",keyword:"type",params:{type: schema16.items.properties.priority.type},message:"must be integer,null",schema:schema16.items.properties.priority.type,parentSchema:schema16.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
if((typeof data19 == "number") && (isFinite(data19))){
if(data19 > 4294967295 || isNaN(data19)){
const err28 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
if(data19 < 0 || isNaN(data19)){
const err29 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
}
}
if(data14.table !== undefined){
let data20 = data14.table;
if((!(((typeof data20 == "number") && (!(data20 % 1) && !isNaN(data20))) && (isFinite(data20)))) && (data20 !== null)){
const err30 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/type",keyword:"type",params:{type: schema16.items.properties.table.type},message:"must be integer,null",schema:schema16.items.properties.table.type,parentSchema:schema16.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
if((typeof data20 == "number") && (isFinite(data20))){
if(data20 > 4294967295 || isNaN(data20)){
const err31 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
if(data20 < 0 || isNaN(data20)){
const err32 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
}
}
if(data14.scope !== undefined){
let data21 = data14.scope;
if((!(((typeof data21 == "number") && (!(data21 % 1) && !isNaN(data21))) && (isFinite(data21)))) && (data21 !== null)){
const err33 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/type",keyword:"type",params:{type: schema16.items.properties.scope.type},message:"must be integer,null",schema:schema16.items.properties.scope.type,parentSchema:schema16.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
if((typeof data21 == "number") && (isFinite(data21))){
if(data21 > 255 || isNaN(data21)){
const err34 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema16.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
if(data21 < 0 || isNaN(data21)){
const err35 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
}
}
}
else {
const err36 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema16.items.type,parentSchema:schema16.items,data:data14};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
}
}
}
else {
const err37 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema17.type,parentSchema:schema17,data};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
validate14.errors = vErrors;
return errors === 0;
}

export const ipamRoutes = validate15;

function validate15(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="ipam-routes" */;
let vErrors = null;
let errors = 0;
if((!(Array.isArray(data))) && (data !== null)){
const err0 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: schema16.type},message:"must be array,null",schema:schema16.type,parentSchema:schema16,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
if(Array.isArray(data)){
const len0 = data.length;
for(let i0=0; i0<len0; i0++){
let data0 = data[i0];
if(data0 && typeof data0 == "object" && !Array.isArray(data0)){
if(data0.dst === undefined){
const err1 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema16.items.required,parentSchema:schema16.items,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
for(const key0 in data0){
if(!(((((((key0 === "dst") || (key0 === "gw")) || (key0 === "mtu")) || (key0 === "advmss")) || (key0 === "priority")) || (key0 === "table")) || (key0 === "scope"))){
const err2 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema16.items,data:data0};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data0.dst !== undefined){
let data1 = data0.dst;
if(typeof data1 !== "string"){
const err3 = {instancePath:instancePath+"/" + i0+"/dst",schemaPath:"#/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.items.properties.dst.type,parentSchema:schema16.items.properties.dst,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data0.gw !== undefined){
let data2 = data0.gw;
if((typeof data2 !== "string") && (data2 !== null)){
const err4 = {instancePath:instancePath+"/" + i0+"/gw",schemaPath:"#/items/properties/gw/type",keyword:"type",params:{type: schema16.items.properties.gw.type},message:"must be string,null",schema:schema16.items.properties.gw.type,parentSchema:schema16.items.properties.gw,data:data2};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data0.mtu !== undefined){
let data3 = data0.mtu;
if((!(((typeof data3 == "number") && (!(data3 % 1) && !isNaN(data3))) && (isFinite(data3)))) && (data3 !== null)){
const err5 = {instancePath:instancePath+"/" + i0+"/mtu",schemaPath:"#/items/properties/mtu/type",keyword:"type",params:{type: schema16.items.properties.mtu.type},message:"must be integer,null",schema:schema16.items.properties.mtu.type,parentSchema:schema16.items.properties.mtu,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
if((typeof data3 == "number") && (isFinite(data3))){
if(data3 > 65535 || isNaN(data3)){
const err6 = {instancePath:instancePath+"/" + i0+"/mtu",schemaPath:"#/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.mtu,data:data3};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
if(data3 < 0 || isNaN(data3)){
const err7 = {instancePath:instancePath+"/" + i0+"/mtu",schemaPath:"#/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.mtu,data:data3};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
}
if(data0.advmss !== undefined){
let data4 = data0.advmss;
if((!(((typeof data4 == "number") && (!(data4 % 1) && !isNaN(data4))) && (isFinite(data4)))) && (data4 !== null)){
const err8 = {instancePath:instancePath+"/" + i0+"/advmss",schemaPath:"#/items/properties/advmss/type",keyword:"type",params:{type: schema16.items.properties.advmss.type},message:"must be integer,null",schema:schema16.items.properties.advmss.type,parentSchema:schema16.items.properties.advmss,data:data4};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
if((typeof data4 == "number") && (isFinite(data4))){
if(data4 > 65535 || isNaN(data4)){
const err9 = {instancePath:instancePath+"/" + i0+"/advmss",schemaPath:"#/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.advmss,data:data4};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(data4 < 0 || isNaN(data4)){
const err10 = {instancePath:instancePath+"/" + i0+"/advmss",schemaPath:"#/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.advmss,data:data4};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
}
if(data0.priority !== undefined){
let data5 = data0.priority;
if((!(((typeof data5 == "number") && (!(data5 % 1) && !isNaN(data5))) && (isFinite(data5)))) && (data5 !== null)){
const err11 = {instancePath:instancePath+"/" + i0+"/priority",schemaPath:"#/items/properties/priority/type",keyword:"type",params:{type: schema16.items.properties.priority.type},message:"must be integer,null",schema:schema16.items.properties.priority.type,parentSchema:schema16.items.properties.priority,data:data5};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
if((typeof data5 == "number") && (isFinite(data5))){
if(data5 > 4294967295 || isNaN(data5)){
const err12 = {instancePath:instancePath+"/" + i0+"/priority",schemaPath:"#/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.priority,data:data5};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
if(data5 < 0 || isNaN(data5)){
const err13 = {instancePath:instancePath+"/" + i0+"/priority",schemaPath:"#/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.priority,data:data5};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
}
if(data0.table !== undefined){
let data6 = data0.table;
if((!(((typeof data6 == "number") && (!(data6 % 1) && !isNaN(data6))) && (isFinite(data6)))) && (data6 !== null)){
const err14 = {instancePath:instancePath+"/" + i0+"/table",schemaPath:"#/items/properties/table/type",keyword:"type",params:{type: schema16.items.properties.table.type},message:"must be integer,null",schema:schema16.items.properties.table.type,parentSchema:schema16.items.properties.table,data:data6};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
if((typeof data6 == "number") && (isFinite(data6))){
if(data6 > 4294967295 || isNaN(data6)){
const err15 = {instancePath:instancePath+"/" + i0+"/table",schemaPath:"#/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.table,data:data6};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
if(data6 < 0 || isNaN(data6)){
const err16 = {instancePath:instancePath+"/" + i0+"/table",schemaPath:"#/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.table,data:data6};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
if(data0.scope !== undefined){
let data7 = data0.scope;
if((!(((typeof data7 == "number") && (!(data7 % 1) && !isNaN(data7))) && (isFinite(data7)))) && (data7 !== null)){
const err17 = {instancePath:instancePath+"/" + i0+"/scope",schemaPath:"#/items/properties/scope/type",keyword:"type",params:{type: schema16.items.properties.scope.type},message:"must be integer,null",schema:schema16.items.properties.scope.type,parentSchema:schema16.items.properties.scope,data:data7};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if((typeof data7 == "number") && (isFinite(data7))){
if(data7 > 255 || isNaN(data7)){
const err18 = {instancePath:instancePath+"/" + i0+"/scope",schemaPath:"#/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema16.items.properties.scope,data:data7};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
if(data7 < 0 || isNaN(data7)){
const err19 = {instancePath:instancePath+"/" + i0+"/scope",schemaPath:"#/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.scope,data:data7};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
}
}
else {
const err20 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema16.items.type,parentSchema:schema16.items,data:data0};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
}
validate15.errors = vErrors;
return errors === 0;
}

export const ipamStatic = validate16;
const schema20 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"ipam of type static","type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},"name":{"type":["string","null"]},"addresses":{"type":["array","null"],"items":{"type":"object","additionalProperties":false,"required":["address"],"properties":{"address":{"type":"string"},"gateway":{"type":["string","null"]}}}},"routes":{"$ref":"ipam-routes"},"dns":{"type":["object","null"],"additionalProperties":false,"properties":{"nameservers":{"type":["array","null"],"items":{"type":"string"}},"domain":{"type":["string","null"]},"search":{"type":["array","null"],"items":{"type":"string"}},"options":{"type":["array","null"],"items":{"type":"string"}}}}}};

function validate16(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(((((key0 === "type") || (key0 === "name")) || (key0 === "addresses")) || (key0 === "routes")) || (key0 === "dns"))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema20,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.type !== undefined){
let data0 = data.type;
if(typeof data0 !== "string"){
const err1 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema20.properties.type.type,parentSchema:schema20.properties.type,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.name !== undefined){
let data1 = data.name;
if((typeof data1 !== "string") && (data1 !== null)){
const err2 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: schema20.properties.name.type},message:"must be string,null",schema:schema20.properties.name.type,parentSchema:schema20.properties.name,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.addresses !== undefined){
let data2 = data.addresses;
if((!(Array.isArray(data2))) && (data2 !== null)){
const err3 = {instancePath:instancePath+"/addresses",schemaPath:"#/properties/addresses/type",keyword:"type",params:{type: schema20.properties.addresses.type},message:"must be array,null",schema:schema20.properties.addresses.type,parentSchema:schema20.properties.addresses,data:data2};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
if(Array.isArray(data2)){
const len0 = data2.length;
for(let i0=0; i0<len0; i0++){
let data3 = data2[i0];
if(data3 && typeof data3 == "object" && !Array.isArray(data3)){
if(data3.address === undefined){
const err4 = {instancePath:instancePath+"/addresses/" + i0,schemaPath:"#/properties/addresses/items/required",keyword:"required",params:{missingProperty: "address"},message:"must have required property '"+"address"+"'",schema:schema20.properties.addresses.items.required,parentSchema:schema20.properties.addresses.items,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
for(const key1 in data3){
if(!((key1 === "address") || (key1 === "gateway"))){
const err5 = {instancePath:instancePath+"/addresses/" + i0,schemaPath:"#/properties/addresses/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema20.properties.addresses.items,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data3.address !== undefined){
let data4 = data3.address;
if(typeof data4 !== "string"){
const err6 = {instancePath:instancePath+"/addresses/" + i0+"/address",schemaPath:"#/properties/addresses/items/properties/address/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema20.properties.addresses.items.properties.address.type,parentSchema:schema20.properties.addresses.items.properties.address,data:data4};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data3.gateway !== undefined){
let data5 = data3.gateway;
if((typeof data5 !== "string") && (data5 !== null)){
const err7 = {instancePath:instancePath+"/addresses/" + i0+"/gateway",schemaPath:"#/properties/addresses/items/properties/gateway/type",keyword:"type",params:{type: schema20.properties.addresses.items.properties.gateway.type},message:"must be string,null",schema:schema20.properties.addresses.items.properties.gateway.type,parentSchema:schema20.properties.addresses.items.properties.gateway,data:data5};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
}
else {
const err8 = {instancePath:instancePath+"/addresses/" + i0,schemaPath:"#/properties/addresses/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema20.properties.addresses.items.type,parentSchema:schema20.properties.addresses.items,data:data3};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
}
}
if(data.routes !== undefined){
let data6 = data.routes;
if((!(Array.isArray(data6))) && (data6 !== null)){
const err9 = {instancePath:instancePath+"/routes",schemaPath:"ipam-routes/type",keyword:"type",params:{type: schema16.type},message:"must be array,null",schema:schema16.type,parentSchema:schema16,data:data6};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(Array.isArray(data6)){
const len1 = data6.length;
for(let i1=0; i1<len1; i1++){
let data7 = data6[i1];
if(data7 && typeof data7 == "object" && !Array.isArray(data7)){
if(data7.dst === undefined){
const err10 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema16.items.required,parentSchema:schema16.items,data:data7};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
for(const key2 in data7){
if(!(((((((key2 === "dst") || (key2 === "gw")) || (key2 === "mtu")) || (key2 === "advmss")) || (key2 === "priority")) || (key2 === "table")) || (key2 === "scope"))){
const err11 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema16.items,data:data7};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data7.dst !== undefined){
let data8 = data7.dst;
if(typeof data8 !== "string"){
const err12 = {instancePath:instancePath+"/routes/" + i1+"/dst",schemaPath:"ipam-routes/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.items.properties.dst.type,parentSchema:schema16.items.properties.dst,data:data8};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
if(data7.gw !== undefined){
let data9 = data7.gw;
if((typeof data9 !== "string") && (data9 !== null)){
const err13 = {instancePath:instancePath+"/routes/" + i1+"/gw",schemaPath:"ipam-routes/items/properties/gw/type",keyword:"type",params:{type: schema16.items.properties.gw.type},message:"must be string,null",schema:schema16.items.properties.gw.type,parentSchema:schema16.items.properties.gw,data:data9};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data7.mtu !== undefined){
let data10 = data7.mtu;
if((!(((typeof data10 == "number") && (!(data10 % 1) && !isNaN(data10))) && (isFinite(data10)))) && (data10 !== null)){
const err14 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/type",keyword:"type",params:{type: schema16.items.properties.mtu.type},message:"must be integer,null",schema:schema16.items.properties.mtu.type,parentSchema:schema16.items.properties.mtu,data:data10};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
if((typeof data10 == "number") && (isFinite(data10))){
if(data10 > 65535 || isNaN(data10)){
const err15 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.mtu,data:data10};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
if(data10 < 0 || isNaN(data10)){
const err16 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.mtu,data:data10};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
if(data7.advmss !== undefined){
let data11 = data7.advmss;
if((!(((typeof data11 == "number") && (!(data11 % 1) && !isNaN(data11))) && (isFinite(data11)))) && (data11 !== null)){
const err17 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/type",keyword:"type",params:{type: schema16.items.properties.advmss.type},message:"must be integer,null",schema:schema16.items.properties.advmss.type,parentSchema:schema16.items.properties.advmss,data:data11};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if((typeof data11 == "number") && (isFinite(data11))){
if(data11 > 65535 || isNaN(data11)){
const err18 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema16.items.properties.advmss,data:data11};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
if(data11 < 0 || isNaN(data11)){
const err19 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.advmss,data:data11};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
}
if(data7.priority !== undefined){
let data12 = data7.priority;
if((!(((typeof data12 == "number") && (!(data12 % 1) && !isNaN(data12))) && (isFinite(data12)))) && (data12 !== null)){
const err20 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/type",keyword:"type",params:{type: schema16.items.properties.priority.type},message:"must be integer,null",schema:schema16.items.properties.priority.type,parentSchema:schema16.items.properties.priority,data:data12};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
if((typeof data12 == "number") && (isFinite(data12))){
if(data12 > 4294967295 || isNaN(data12)){
const err21 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.priority,data:data12};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
if(data12 < 0 || isNaN(data12)){
const err22 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.priority,data:data12};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
}
}
if(data7.table !== undefined){
let data13 = data7.table;
if((!(((typeof data13 == "number") && (!(data13 % 1) && !isNaN(data13))) && (isFinite(data13)))) && (data13 !== null)){
const err23 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/type",keyword:"type",params:{type: schema16.items.properties.table.type},message:"must be integer,null",schema:schema16.items.properties.table.type,parentSchema:schema16.items.properties.table,data:data13};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if((typeof data13 == "number") && (isFinite(data13))){
if(data13 > 4294967295 || isNaN(data13)){
const err24 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema16.items.properties.table,data:data13};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
if(data13 < 0 || isNaN(data13)){
const err25 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.table,data:data13};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
}
}
if(data7.scope !== undefined){
let data14 = data7.scope;
if((!(((typeof data14 == "number") && (!(data14 % 1) && !isNaN(data14))) && (isFinite(data14)))) && (data14 !== null)){
const err26 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/type",keyword:"type",params:{type: schema16.items.properties.scope.type},message:"must be integer,null",schema:schema16.items.properties.scope.type,parentSchema:schema16.items.properties.scope,data:data14};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
if((typeof data14 == "number") && (isFinite(data14))){
if(data14 > 255 || isNaN(data14)){
const err27 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema16.items.properties.scope,data:data14};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
if(data14 < 0 || isNaN(data14)){
const err28 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema16.items.properties.scope,data:data14};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
}
}
}
else {
const err29 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema16.items.type,parentSchema:schema16.items,data:data7};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
}
}
}
if(data.dns !== undefined){
let data15 = data.dns;
if((!(data15 && typeof data15 == "object" && !Array.isArray(data15))) && (data15 !== null)){
const err30 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/type",keyword:"type",params:{type: schema20.properties.dns.type},message:"must be object,null",schema:schema20.properties.dns.type,parentSchema:schema20.properties.dns,data:data15};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
if(data15 && typeof data15 == "object" && !Array.isArray(data15)){
for(const key3 in data15){
if(!((((key3 === "nameservers") || (key3 === "domain")) || (key3 === "search")) || (key3 === "options"))){
const err31 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties",schema:false,parentSchema:schema20.properties.dns,data:data15};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
}
if(data15.nameservers !== undefined){
let data16 = data15.nameservers;
if((!(Array.isArray(data16))) && (data16 !== null)){
const err32 = {instancePath:instancePath+"/dns/nameservers",schemaPath:"#/properties/dns/properties/nameservers/type",keyword:"type",params:{type: schema20.properties.dns.properties.nameservers.type},message:"must be array,null",schema:schema20.properties.dns.properties.nameservers.type,parentSchema:schema20.properties.dns.properties.nameservers,data:data16};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
if(Array.isArray(data16)){
const len2 = data16.length;
for(let i2=0; i2<len2; i2++){
let data17 = data16[i2];
if(typeof data17 !== "string"){
const err33 = {instancePath:instancePath+"/dns/nameservers/" + i2,schemaPath:"#/properties/dns/properties/nameservers/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema20.properties.dns.properties.nameservers.items.type,parentSchema:schema20.properties.dns.properties.nameservers.items,data:data17};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
}
if(data15.domain !== undefined){
let data18 = data15.domain;
if((typeof data18 !== "string") && (data18 !== null)){
const err34 = {instancePath:instancePath+"/dns/domain",schemaPath:"#/properties/dns/properties/domain/type",keyword:"type",params:{type: schema20.properties.dns.properties.domain.type},message:"must be string,null",schema:schema20.properties.dns.properties.domain.type,parentSchema:schema20.properties.dns.properties.domain,data:data18};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
if(data15.search !== undefined){
let data19 = data15.search;
if((!(Array.isArray(data19))) && (data19 !== null)){
const err35 = {instancePath:instancePath+"/dns/search",schemaPath:"#/properties/dns/properties/search/type",keyword:"type",params:{type: schema20.properties.dns.properties.search.type},message:"must be array,null",schema:schema20.properties.dns.properties.search.type,parentSchema:schema20.properties.dns.properties.search,data:data19};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
if(Array.isArray(data19)){
const len3 = data19.length;
for(let i3=0; i3<len3; i3++){
let data20 = data19[i3];
if(typeof data20 !== "string"){
const err36 = {instancePath:instancePath+"/dns/search/" + i3,schemaPath:"#/properties/dns/properties/search/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema20.properties.dns.properties.search.items.type,parentSchema:schema20.properties.dns.properties.search.items,data:data20};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
}
}
if(data15.options !== undefined){
let data21 = data15.options;
if((!(Array.isArray(data21))) && (data21 !== null)){
const err37 = {instancePath:instancePath+"/dns/options",schemaPath:"#/properties/dns/properties/options/type",keyword:"type",params:{type: schema20.properties.dns.properties.options.type},message:"must be array,null",schema:schema20.properties.dns.properties.options.type,parentSchema:schema20.properties.dns.properties.options,data:data21};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
if(Array.isArray(data21)){
const len4 = data21.length;
for(let i4=0; i4<len4; i4++){
let data22 = data21[i4];
if(typeof data22 !== "string"){
const err38 = {instancePath:instancePath+"/dns/options/" + i4,schemaPath:"#/properties/dns/properties/options/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema20.properties.dns.properties.options.items.type,parentSchema:schema20.properties.dns.properties.options.items,data:data22};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
}
}
}
}
}
}
else {
const err39 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema20.type,parentSchema:schema20,data};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
validate16.errors = vErrors;
return errors === 0;
}

export const netconf = validate17;
const schema22 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"Isthmus network configuration, as one element of a CNI list hands it to the plugin","type":"object","required":["name"],"additionalProperties":false,"patternProperties":{"^cni\\.dev/":true},"properties":{"$schema":{"type":"string"},"cniVersion":{"type":"string"},"cniVersions":{"type":"array","items":{"type":"string"}},"name":{"type":"string","description":"a name of letters, digits, _, . and -, that begins with a letter or digit","pattern":"^[A-Za-z0-9][A-Za-z0-9_.-]*$","maxLength":128},"type":{"type":"string"},"driver":{"enum":["bridge","host","null","overlay","macvlan","ipvlan","vlan","ptp","dummy","tap","host-device","remote"]},"bridge":{"type":"string","description":"an interface name: 1 to 15 bytes without /, : and white space","pattern":"^[^/:\\s]{1,15}$","not":{"enum":[".",".."]}},"mode":{"type":"string"},"master":{"type":"string"},"linkInContainer":{"type":"boolean"},"hostAccess":{"type":"boolean"},"hostAddresses":{"type":["array","null"],"items":{"type":"string"}},"mac":{"type":"string"},"bcqueuelen":{"type":"integer","minimum":0,"maximum":4294967295},"flag":{"type":"string"},"vlanId":{"type":"integer"},"multiQueue":{"type":"boolean"},"owner":{"type":"integer","minimum":0,"maximum":4294967294},"group":{"type":"integer","minimum":0,"maximum":4294967294},"selinuxContext":{"type":"string"},"plugin":{"type":"string"},"options":{"type":"object","additionalProperties":{"type":["string","number","boolean"]}},"device":{"type":"string"},"hwaddr":{"type":"string"},"kernelpath":{"type":"string"},"pciBusID":{"type":"string"},"vni":{"type":"integer","minimum":1,"maximum":16777215},"flood":{"type":"boolean"},"hostAddress":{"type":"boolean"},"encrypted":{"type":"boolean"},"isGateway":{"type":"boolean"},"isDefaultGateway":{"type":"boolean"},"forceAddress":{"type":"boolean"},"ipMasq":{"type":"boolean"},"ipMasqBackend":{"type":["string","null"]},"firewall":{"type":["object","null"],"additionalProperties":false,"properties":{"backend":{"enum":["auto","nftables","iptables","none"]}}},"nonMasqueradeCIDRs":{"type":["array","null"],"items":{"type":"string"}},"trustedHostInterfaces":{"type":["array","null"],"items":{"type":"string"}},"outboundAddr4":{"type":"string"},"outboundAddr6":{"type":"string"},"ingressPolicy":{"enum":["","open","same-bridge","isolated"]},"internal":{"type":"boolean"},"exhaustedStatus":{"enum":["error","log"]},"icc":{"type":"boolean"},"snat":{"type":["boolean","null"]},"masqAll":{"type":"boolean"},"proxy6to4":{"type":"boolean"},"markMasqBit":{"type":["integer","null"],"minimum":0,"maximum":31},"externalSetMarkChain":{"type":["string","null"],"pattern":"^[A-Za-z0-9_.-]{0,28}$","description":"a chain's name: letters, digits, \"_\", \".\" and \"-\", at most 28"},"conditionsV4":{"type":["array","null"],"items":{"type":"string"}},"conditionsV6":{"type":["array","null"],"items":{"type":"string"}},"backend":{"type":["string","null"]},"ingressRate":{"type":["integer","null"],"minimum":0},"ingressBurst":{"type":["integer","null"],"minimum":0},"egressRate":{"type":["integer","null"],"minimum":0},"egressBurst":{"type":["integer","null"],"minimum":0},"mtu":{"type":"integer","minimum":0,"maximum":65535},"hairpinMode":{"type":"boolean"},"promiscMode":{"type":"boolean"},"vlan":{"type":"integer","minimum":0,"maximum":4094},"vlanTrunk":{"type":"array","items":{"type":"object","additionalProperties":false,"properties":{"id":{"type":"integer","minimum":1,"maximum":4094},"minID":{"type":"integer","minimum":1,"maximum":4094},"maxID":{"type":"integer","minimum":1,"maximum":4094}}}},"preserveDefaultVlan":{"type":"boolean"},"macspoofchk":{"type":"boolean"},"spoofGuard":{"enum":[true,false,"on","off"]},"enabledad":{"type":"boolean"},"ipv6":{"enum":["auto","on","off"]},"disableContainerInterface":{"type":"boolean"},"portIsolation":{"type":"boolean"},"dns":{"type":"object","additionalProperties":false,"properties":{"nameservers":{"type":["array","null"],"items":{"type":"string"}},"domain":{"type":"string"},"search":{"type":["array","null"],"items":{"type":"string"}},"options":{"type":["array","null"],"items":{"type":"string"}}}},"ipam":{"type":["object","null"],"properties":{"type":{"type":"string","description":"the bare name of a plugin","pattern":"^[^/\\s]*$"}}},"capabilities":{"type":["object","null"],"additionalProperties":{"type":"boolean"}},"args":{"type":["object","null"]},"runtimeConfig":{"type":["object","null"]},"prevResult":{"type":["object","null"]},"disableCheck":{"type":["boolean","string"]},"disableGC":{"type":["boolean","string"]},"loadOnlyInlinedPlugins":{"type":["boolean","string"]}}};
const pattern1 = new RegExp("^cni\\.dev/", "u");
const pattern3 = new RegExp("^[^/:\\s]{1,15}$", "u");
const pattern4 = new RegExp("^[A-Za-z0-9_.-]{0,28}$", "u");
const pattern5 = new RegExp("^[^/\\s]*$", "u");

function validate17(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
if(data.name === undefined){
const err0 = {instancePath,schemaPath:"#/required",keyword:"required",params:{missingProperty: "name"},message:"must have required property '"+"name"+"'",schema:schema22.required,parentSchema:schema22,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
for(const key0 in data){
if(!((func2.call(schema22.properties, key0)) || (pattern1.test(key0)))){
const err1 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema22,data};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.$schema !== undefined){
let data0 = data.$schema;
if(typeof data0 !== "string"){
const err2 = {instancePath:instancePath+"/$schema",schemaPath:"#/properties/%24schema/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.$schema.type,parentSchema:schema22.properties.$schema,data:data0};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.cniVersion !== undefined){
let data1 = data.cniVersion;
if(typeof data1 !== "string"){
const err3 = {instancePath:instancePath+"/cniVersion",schemaPath:"#/properties/cniVersion/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.cniVersion.type,parentSchema:schema22.properties.cniVersion,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data.cniVersions !== undefined){
let data2 = data.cniVersions;
if(Array.isArray(data2)){
const len0 = data2.length;
for(let i0=0; i0<len0; i0++){
let data3 = data2[i0];
if(typeof data3 !== "string"){
const err4 = {instancePath:instancePath+"/cniVersions/" + i0,schemaPath:"#/properties/cniVersions/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.cniVersions.items.type,parentSchema:schema22.properties.cniVersions.items,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
}
else {
const err5 = {instancePath:instancePath+"/cniVersions",schemaPath:"#/properties/cniVersions/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema22.properties.cniVersions.type,parentSchema:schema22.properties.cniVersions,data:data2};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data.name !== undefined){
let data4 = data.name;
if(typeof data4 === "string"){
if(func3(data4) > 128){
const err6 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/maxLength",keyword:"maxLength",params:{limit: 128},message:"must NOT have more than 128 characters",schema:128,parentSchema:schema22.properties.name,data:data4};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
if(!pattern0.test(data4)){
const err7 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$"},message:"must match pattern \""+"^[A-Za-z0-9][A-Za-z0-9_.-]*$"+"\"",schema:"^[A-Za-z0-9][A-Za-z0-9_.-]*$",parentSchema:schema22.properties.name,data:data4};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
else {
const err8 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.name.type,parentSchema:schema22.properties.name,data:data4};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
if(data.type !== undefined){
let data5 = data.type;
if(typeof data5 !== "string"){
const err9 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.type.type,parentSchema:schema22.properties.type,data:data5};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
if(data.driver !== undefined){
let data6 = data.driver;
if(!((((((((((((data6 === "bridge") || (data6 === "host")) || (data6 === "null")) || (data6 === "overlay")) || (data6 === "macvlan")) || (data6 === "ipvlan")) || (data6 === "vlan")) || (data6 === "ptp")) || (data6 === "dummy")) || (data6 === "tap")) || (data6 === "host-device")) || (data6 === "remote"))){
const err10 = {instancePath:instancePath+"/driver",schemaPath:"#/properties/driver/enum",keyword:"enum",params:{allowedValues: schema22.properties.driver.enum},message:"must be equal to one of the allowed values",schema:schema22.properties.driver.enum,parentSchema:schema22.properties.driver,data:data6};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
if(data.bridge !== undefined){
let data7 = data.bridge;
const _errs17 = errors;
const _errs18 = errors;
if(!((data7 === ".") || (data7 === ".."))){
const err11 = {};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
var valid3 = _errs18 === errors;
if(valid3){
const err12 = {instancePath:instancePath+"/bridge",schemaPath:"#/properties/bridge/not",keyword:"not",params:{},message:"must NOT be valid",schema:schema22.properties.bridge.not,parentSchema:schema22.properties.bridge,data:data7};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
else {
errors = _errs17;
if(vErrors !== null){
if(_errs17){
vErrors.length = _errs17;
}
else {
vErrors = null;
}
}
}
if(typeof data7 === "string"){
if(!pattern3.test(data7)){
const err13 = {instancePath:instancePath+"/bridge",schemaPath:"#/properties/bridge/pattern",keyword:"pattern",params:{pattern: "^[^/:\\s]{1,15}$"},message:"must match pattern \""+"^[^/:\\s]{1,15}$"+"\"",schema:"^[^/:\\s]{1,15}$",parentSchema:schema22.properties.bridge,data:data7};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
else {
const err14 = {instancePath:instancePath+"/bridge",schemaPath:"#/properties/bridge/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.bridge.type,parentSchema:schema22.properties.bridge,data:data7};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
if(data.mode !== undefined){
let data8 = data.mode;
if(typeof data8 !== "string"){
const err15 = {instancePath:instancePath+"/mode",schemaPath:"#/properties/mode/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.mode.type,parentSchema:schema22.properties.mode,data:data8};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
if(data.master !== undefined){
let data9 = data.master;
if(typeof data9 !== "string"){
const err16 = {instancePath:instancePath+"/master",schemaPath:"#/properties/master/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.master.type,parentSchema:schema22.properties.master,data:data9};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
if(data.linkInContainer !== undefined){
let data10 = data.linkInContainer;
if(typeof data10 !== "boolean"){
const err17 = {instancePath:instancePath+"/linkInContainer",schemaPath:"#/properties/linkInContainer/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.linkInContainer.type,parentSchema:schema22.properties.linkInContainer,data:data10};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
}
if(data.hostAccess !== undefined){
let data11 = data.hostAccess;
if(typeof data11 !== "boolean"){
const err18 = {instancePath:instancePath+"/hostAccess",schemaPath:"#/properties/hostAccess/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.hostAccess.type,parentSchema:schema22.properties.hostAccess,data:data11};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
}
if(data.hostAddresses !== undefined){
let data12 = data.hostAddresses;
if((!(Array.isArray(data12))) && (data12 !== null)){
const err19 = {instancePath:instancePath+"/hostAddresses",schemaPath:"#/properties/hostAddresses/type",keyword:"type",params:{type: schema22.properties.hostAddresses.type},message:"must be array,null",schema:schema22.properties.hostAddresses.type,parentSchema:schema22.properties.hostAddresses,data:data12};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
if(Array.isArray(data12)){
const len1 = data12.length;
for(let i1=0; i1<len1; i1++){
let data13 = data12[i1];
if(typeof data13 !== "string"){
const err20 = {instancePath:instancePath+"/hostAddresses/" + i1,schemaPath:"#/properties/hostAddresses/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.hostAddresses.items.type,parentSchema:schema22.properties.hostAddresses.items,data:data13};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
}
}
if(data.mac !== undefined){
let data14 = data.mac;
if(typeof data14 !== "string"){
const err21 = {instancePath:instancePath+"/mac",schemaPath:"#/properties/mac/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.mac.type,parentSchema:schema22.properties.mac,data:data14};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
}
if(data.bcqueuelen !== undefined){
let data15 = data.bcqueuelen;
if(!(((typeof data15 == "number") && (!(data15 % 1) && !isNaN(data15))) && (isFinite(data15)))){
const err22 = {instancePath:instancePath+"/bcqueuelen",schemaPath:"#/properties/bcqueuelen/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.bcqueuelen.type,parentSchema:schema22.properties.bcqueuelen,data:data15};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
if((typeof data15 == "number") && (isFinite(data15))){
if(data15 > 4294967295 || isNaN(data15)){
const err23 = {instancePath:instancePath+"/bcqueuelen",schemaPath:"#/properties/bcqueuelen/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema22.properties.bcqueuelen,data:data15};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if(data15 < 0 || isNaN(data15)){
const err24 = {instancePath:instancePath+"/bcqueuelen",schemaPath:"#/properties/bcqueuelen/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.bcqueuelen,data:data15};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
}
}
if(data.flag !== undefined){
let data16 = data.flag;
if(typeof data16 !== "string"){
const err25 = {instancePath:instancePath+"/flag",schemaPath:"#/properties/flag/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.flag.type,parentSchema:schema22.properties.flag,data:data16};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
}
if(data.vlanId !== undefined){
let data17 = data.vlanId;
if(!(((typeof data17 == "number") && (!(data17 % 1) && !isNaN(data17))) && (isFinite(data17)))){
const err26 = {instancePath:instancePath+"/vlanId",schemaPath:"#/properties/vlanId/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.vlanId.type,parentSchema:schema22.properties.vlanId,data:data17};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
}
if(data.multiQueue !== undefined){
let data18 = data.multiQueue;
if(typeof data18 !== "boolean"){
const err27 = {instancePath:instancePath+"/multiQueue",schemaPath:"#/properties/multiQueue/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.multiQueue.type,parentSchema:schema22.properties.multiQueue,data:data18};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
if(data.owner !== undefined){
let data19 = data.owner;
if(!(((typeof data19 == "number") && (!(data19 % 1) && !isNaN(data19))) && (isFinite(data19)))){
const err28 = {instancePath:instancePath+"/owner",schemaPath:"#/properties/owner/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.owner.type,parentSchema:schema22.properties.owner,data:data19};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
if((typeof data19 == "number") && (isFinite(data19))){
if(data19 > 4294967294 || isNaN(data19)){
const err29 = {instancePath:instancePath+"/owner",schemaPath:"#/properties/owner/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967294},message:"must be <= 4294967294",schema:4294967294,parentSchema:schema22.properties.owner,data:data19};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
if(data19 < 0 || isNaN(data19)){
const err30 = {instancePath:instancePath+"/owner",schemaPath:"#/properties/owner/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.owner,data:data19};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
}
if(data.group !== undefined){
let data20 = data.group;
if(!(((typeof data20 == "number") && (!(data20 % 1) && !isNaN(data20))) && (isFinite(data20)))){
const err31 = {instancePath:instancePath+"/group",schemaPath:"#/properties/group/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.group.type,parentSchema:schema22.properties.group,data:data20};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
if((typeof data20 == "number") && (isFinite(data20))){
if(data20 > 4294967294 || isNaN(data20)){
const err32 = {instancePath:instancePath+"/group",schemaPath:"#/properties/group/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967294},message:"must be <= 4294967294",schema:4294967294,parentSchema:schema22.properties.group,data:data20};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
if(data20 < 0 || isNaN(data20)){
const err33 = {instancePath:instancePath+"/group",schemaPath:"#/properties/group/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.group,data:data20};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
if(data.selinuxContext !== undefined){
let data21 = data.selinuxContext;
if(typeof data21 !== "string"){
const err34 = {instancePath:instancePath+"/selinuxContext",schemaPath:"#/properties/selinuxContext/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.selinuxContext.type,parentSchema:schema22.properties.selinuxContext,data:data21};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
if(data.plugin !== undefined){
let data22 = data.plugin;
if(typeof data22 !== "string"){
const err35 = {instancePath:instancePath+"/plugin",schemaPath:"#/properties/plugin/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.plugin.type,parentSchema:schema22.properties.plugin,data:data22};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
}
if(data.options !== undefined){
let data23 = data.options;
if(data23 && typeof data23 == "object" && !Array.isArray(data23)){
for(const key1 in data23){
let data24 = data23[key1];
if(((typeof data24 !== "string") && (!((typeof data24 == "number") && (isFinite(data24))))) && (typeof data24 !== "boolean")){
const err36 = {instancePath:instancePath+"/options/" + key1.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/options/additionalProperties/type",keyword:"type",params:{type: schema22.properties.options.additionalProperties.type},message:"must be string,number,boolean",schema:schema22.properties.options.additionalProperties.type,parentSchema:schema22.properties.options.additionalProperties,data:data24};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
}
else {
const err37 = {instancePath:instancePath+"/options",schemaPath:"#/properties/options/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema22.properties.options.type,parentSchema:schema22.properties.options,data:data23};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
}
if(data.device !== undefined){
let data25 = data.device;
if(typeof data25 !== "string"){
const err38 = {instancePath:instancePath+"/device",schemaPath:"#/properties/device/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.device.type,parentSchema:schema22.properties.device,data:data25};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
}
if(data.hwaddr !== undefined){
let data26 = data.hwaddr;
if(typeof data26 !== "string"){
const err39 = {instancePath:instancePath+"/hwaddr",schemaPath:"#/properties/hwaddr/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.hwaddr.type,parentSchema:schema22.properties.hwaddr,data:data26};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
}
if(data.kernelpath !== undefined){
let data27 = data.kernelpath;
if(typeof data27 !== "string"){
const err40 = {instancePath:instancePath+"/kernelpath",schemaPath:"#/properties/kernelpath/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.kernelpath.type,parentSchema:schema22.properties.kernelpath,data:data27};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
}
if(data.pciBusID !== undefined){
let data28 = data.pciBusID;
if(typeof data28 !== "string"){
const err41 = {instancePath:instancePath+"/pciBusID",schemaPath:"#/properties/pciBusID/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.pciBusID.type,parentSchema:schema22.properties.pciBusID,data:data28};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
}
if(data.vni !== undefined){
let data29 = data.vni;
if(!(((typeof data29 == "number") && (!(data29 % 1) && !isNaN(data29))) && (isFinite(data29)))){
const err42 = {instancePath:instancePath+"/vni",schemaPath:"#/properties/vni/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.vni.type,parentSchema:schema22.properties.vni,data:data29};
if(vErrors === null){
vErrors = [err42];
}
else {
vErrors.push(err42);
}
errors++;
}
if((typeof data29 == "number") && (isFinite(data29))){
if(data29 > 16777215 || isNaN(data29)){
const err43 = {instancePath:instancePath+"/vni",schemaPath:"#/properties/vni/maximum",keyword:"maximum",params:{comparison: "<=", limit: 16777215},message:"must be <= 16777215",schema:16777215,parentSchema:schema22.properties.vni,data:data29};
if(vErrors === null){
vErrors = [err43];
}
else {
vErrors.push(err43);
}
errors++;
}
if(data29 < 1 || isNaN(data29)){
const err44 = {instancePath:instancePath+"/vni",schemaPath:"#/properties/vni/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema22.properties.vni,data:data29};
if(vErrors === null){
vErrors = [err44];
}
else {
vErrors.push(err44);
}
errors++;
}
}
}
if(data.flood !== undefined){
let data30 = data.flood;
if(typeof data30 !== "boolean"){
const err45 = {instancePath:instancePath+"/flood",schemaPath:"#/properties/flood/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.flood.type,parentSchema:schema22.properties.flood,data:data30};
if(vErrors === null){
vErrors = [err45];
}
else {
vErrors.push(err45);
}
errors++;
}
}
if(data.hostAddress !== undefined){
let data31 = data.hostAddress;
if(typeof data31 !== "boolean"){
const err46 = {instancePath:instancePath+"/hostAddress",schemaPath:"#/properties/hostAddress/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.hostAddress.type,parentSchema:schema22.properties.hostAddress,data:data31};
if(vErrors === null){
vErrors = [err46];
}
else {
vErrors.push(err46);
}
errors++;
}
}
if(data.encrypted !== undefined){
let data32 = data.encrypted;
if(typeof data32 !== "boolean"){
const err47 = {instancePath:instancePath+"/encrypted",schemaPath:"#/properties/encrypted/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.encrypted.type,parentSchema:schema22.properties.encrypted,data:data32};
if(vErrors === null){
vErrors = [err47];
}
else {
vErrors.push(err47);
}
errors++;
}
}
if(data.isGateway !== undefined){
let data33 = data.isGateway;
if(typeof data33 !== "boolean"){
const err48 = {instancePath:instancePath+"/isGateway",schemaPath:"#/properties/isGateway/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.isGateway.type,parentSchema:schema22.properties.isGateway,data:data33};
if(vErrors === null){
vErrors = [err48];
}
else {
vErrors.push(err48);
}
errors++;
}
}
if(data.isDefaultGateway !== undefined){
let data34 = data.isDefaultGateway;
if(typeof data34 !== "boolean"){
const err49 = {instancePath:instancePath+"/isDefaultGateway",schemaPath:"#/properties/isDefaultGateway/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.isDefaultGateway.type,parentSchema:schema22.properties.isDefaultGateway,data:data34};
if(vErrors === null){
vErrors = [err49];
}
else {
vErrors.push(err49);
}
errors++;
}
}
if(data.forceAddress !== undefined){
let data35 = data.forceAddress;
if(typeof data35 !== "boolean"){
const err50 = {instancePath:instancePath+"/forceAddress",schemaPath:"#/properties/forceAddress/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.forceAddress.type,parentSchema:schema22.properties.forceAddress,data:data35};
if(vErrors === null){
vErrors = [err50];
}
else {
vErrors.push(err50);
}
errors++;
}
}
if(data.ipMasq !== undefined){
let data36 = data.ipMasq;
if(typeof data36 !== "boolean"){
const err51 = {instancePath:instancePath+"/ipMasq",schemaPath:"#/properties/ipMasq/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.ipMasq.type,parentSchema:schema22.properties.ipMasq,data:data36};
if(vErrors === null){
vErrors = [err51];
}
else {
vErrors.push(err51);
}
errors++;
}
}
if(data.ipMasqBackend !== undefined){
let data37 = data.ipMasqBackend;
if((typeof data37 !== "string") && (data37 !== null)){
const err52 = {instancePath:instancePath+"/ipMasqBackend",schemaPath:"#/properties/ipMasqBackend/type",keyword:"type",params:{type: schema22.properties.ipMasqBackend.type},message:"must be string,null",schema:schema22.properties.ipMasqBackend.type,parentSchema:schema22.properties.ipMasqBackend,data:data37};
if(vErrors === null){
vErrors = [err52];
}
else {
vErrors.push(err52);
}
errors++;
}
}
if(data.firewall !== undefined){
let data38 = data.firewall;
if((!(data38 && typeof data38 == "object" && !Array.isArray(data38))) && (data38 !== null)){
const err53 = {instancePath:instancePath+"/firewall",schemaPath:"#/properties/firewall/type",keyword:"type",params:{type: schema22.properties.firewall.type},message:"must be object,null",schema:schema22.properties.firewall.type,parentSchema:schema22.properties.firewall,data:data38};
if(vErrors === null){
vErrors = [err53];
}
else {
vErrors.push(err53);
}
errors++;
}
if(data38 && typeof data38 == "object" && !Array.isArray(data38)){
for(const key2 in data38){
if(!(key2 === "backend")){
const err54 = {instancePath:instancePath+"/firewall",schemaPath:"#/properties/firewall/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema22.properties.firewall,data:data38};
if(vErrors === null){
vErrors = [err54];
}
else {
vErrors.push(err54);
}
errors++;
}
}
if(data38.backend !== undefined){
let data39 = data38.backend;
if(!((((data39 === "auto") || (data39 === "nftables")) || (data39 === "iptables")) || (data39 === "none"))){
const err55 = {instancePath:instancePath+"/firewall/backend",schemaPath:"#/properties/firewall/properties/backend/enum",keyword:"enum",params:{allowedValues: schema22.properties.firewall.properties.backend.enum},message:"must be equal to one of the allowed values",schema:schema22.properties.firewall.properties.backend.enum,parentSchema:schema22.properties.firewall.properties.backend,data:data39};
if(vErrors === null){
vErrors = [err55];
}
else {
vErrors.push(err55);
}
errors++;
}
}
}
}
if(data.nonMasqueradeCIDRs !== undefined){
let data40 = data.nonMasqueradeCIDRs;
if((!(Array.isArray(data40))) && (data40 !== null)){
const err56 = {instancePath:instancePath+"/nonMasqueradeCIDRs",schemaPath:"#/properties/nonMasqueradeCIDRs/type",keyword:"type",params:{type: schema22.properties.nonMasqueradeCIDRs.type},message:"must be array,null",schema:schema22.properties.nonMasqueradeCIDRs.type,parentSchema:schema22.properties.nonMasqueradeCIDRs,data:data40};
if(vErrors === null){
vErrors = [err56];
}
else {
vErrors.push(err56);
}
errors++;
}
if(Array.isArray(data40)){
const len2 = data40.length;
for(let i2=0; i2<len2; i2++){
let data41 = data40[i2];
if(typeof data41 !== "string"){
const err57 = {instancePath:instancePath+"/nonMasqueradeCIDRs/" + i2,schemaPath:"#/properties/nonMasqueradeCIDRs/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.nonMasqueradeCIDRs.items.type,parentSchema:schema22.properties.nonMasqueradeCIDRs.items,data:data41};
if(vErrors === null){
vErrors = [err57];
}
else {
vErrors.push(err57);
}
errors++;
}
}
}
}
if(data.trustedHostInterfaces !== undefined){
let data42 = data.trustedHostInterfaces;
if((!(Array.isArray(data42))) && (data42 !== null)){
const err58 = {instancePath:instancePath+"/trustedHostInterfaces",schemaPath:"#/properties/trustedHostInterfaces/type",keyword:"type",params:{type: schema22.properties.trustedHostInterfaces.type},message:"must be array,null",schema:schema22.properties.trustedHostInterfaces.type,parentSchema:schema22.properties.trustedHostInterfaces,data:data42};
if(vErrors === null){
vErrors = [err58];
}
else {
vErrors.push(err58);
}
errors++;
}
if(Array.isArray(data42)){
const len3 = data42.length;
for(let i3=0; i3<len3; i3++){
let data43 = data42[i3];
if(typeof data43 !== "string"){
const err59 = {instancePath:instancePath+"/trustedHostInterfaces/" + i3,schemaPath:"#/properties/trustedHostInterfaces/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.trustedHostInterfaces.items.type,parentSchema:schema22.properties.trustedHostInterfaces.items,data:data43};
if(vErrors === null){
vErrors = [err59];
}
else {
vErrors.push(err59);
}
errors++;
}
}
}
}
if(data.outboundAddr4 !== undefined){
let data44 = data.outboundAddr4;
if(typeof data44 !== "string"){
const err60 = {instancePath:instancePath+"/outboundAddr4",schemaPath:"#/properties/outboundAddr4/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.outboundAddr4.type,parentSchema:schema22.properties.outboundAddr4,data:data44};
if(vErrors === null){
vErrors = [err60];
}
else {
vErrors.push(err60);
}
errors++;
}
}
if(data.outboundAddr6 !== undefined){
let data45 = data.outboundAddr6;
if(typeof data45 !== "string"){
const err61 = {instancePath:instancePath+"/outboundAddr6",schemaPath:"#/properties/outboundAddr6/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.outboundAddr6.type,parentSchema:schema22.properties.outboundAddr6,data:data45};
if(vErrors === null){
vErrors = [err61];
}
else {
vErrors.push(err61);
}
errors++;
}
}
if(data.ingressPolicy !== undefined){
let data46 = data.ingressPolicy;
if(!((((data46 === "") || (data46 === "open")) || (data46 === "same-bridge")) || (data46 === "isolated"))){
const err62 = {instancePath:instancePath+"/ingressPolicy",schemaPath:"#/properties/ingressPolicy/enum",keyword:"enum",params:{allowedValues: schema22.properties.ingressPolicy.enum},message:"must be equal to one of the allowed values",schema:schema22.properties.ingressPolicy.enum,parentSchema:schema22.properties.ingressPolicy,data:data46};
if(vErrors === null){
vErrors = [err62];
}
else {
vErrors.push(err62);
}
errors++;
}
}
if(data.internal !== undefined){
let data47 = data.internal;
if(typeof data47 !== "boolean"){
const err63 = {instancePath:instancePath+"/internal",schemaPath:"#/properties/internal/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.internal.type,parentSchema:schema22.properties.internal,data:data47};
if(vErrors === null){
vErrors = [err63];
}
else {
vErrors.push(err63);
}
errors++;
}
}
if(data.exhaustedStatus !== undefined){
let data48 = data.exhaustedStatus;
if(!((data48 === "error") || (data48 === "log"))){
const err64 = {instancePath:instancePath+"/exhaustedStatus",schemaPath:"#/properties/exhaustedStatus/enum",keyword:"enum",params:{allowedValues: schema22.properties.exhaustedStatus.enum},message:"must be equal to one of the allowed values",schema:schema22.properties.exhaustedStatus.enum,parentSchema:schema22.properties.exhaustedStatus,data:data48};
if(vErrors === null){
vErrors = [err64];
}
else {
vErrors.push(err64);
}
errors++;
}
}
if(data.icc !== undefined){
let data49 = data.icc;
if(typeof data49 !== "boolean"){
const err65 = {instancePath:instancePath+"/icc",schemaPath:"#/properties/icc/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.icc.type,parentSchema:schema22.properties.icc,data:data49};
if(vErrors === null){
vErrors = [err65];
}
else {
vErrors.push(err65);
}
errors++;
}
}
if(data.snat !== undefined){
let data50 = data.snat;
if((typeof data50 !== "boolean") && (data50 !== null)){
const err66 = {instancePath:instancePath+"/snat",schemaPath:"#/properties/snat/type",keyword:"type",params:{type: schema22.properties.snat.type},message:"must be boolean,null",schema:schema22.properties.snat.type,parentSchema:schema22.properties.snat,data:data50};
if(vErrors === null){
vErrors = [err66];
}
else {
vErrors.push(err66);
}
errors++;
}
}
if(data.masqAll !== undefined){
let data51 = data.masqAll;
if(typeof data51 !== "boolean"){
const err67 = {instancePath:instancePath+"/masqAll",schemaPath:"#/properties/masqAll/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.masqAll.type,parentSchema:schema22.properties.masqAll,data:data51};
if(vErrors === null){
vErrors = [err67];
}
else {
vErrors.push(err67);
}
errors++;
}
}
if(data.proxy6to4 !== undefined){
let data52 = data.proxy6to4;
if(typeof data52 !== "boolean"){
const err68 = {instancePath:instancePath+"/proxy6to4",schemaPath:"#/properties/proxy6to4/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.proxy6to4.type,parentSchema:schema22.properties.proxy6to4,data:data52};
if(vErrors === null){
vErrors = [err68];
}
else {
vErrors.push(err68);
}
errors++;
}
}
if(data.markMasqBit !== undefined){
let data53 = data.markMasqBit;
if((!(((typeof data53 == "number") && (!(data53 % 1) && !isNaN(data53))) && (isFinite(data53)))) && (data53 !== null)){
const err69 = {instancePath:instancePath+"/markMasqBit",schemaPath:"#/properties/markMasqBit/type",keyword:"type",params:{type: schema22.properties.markMasqBit.type},message:"must be integer,null",schema:schema22.properties.markMasqBit.type,parentSchema:schema22.properties.markMasqBit,data:data53};
if(vErrors === null){
vErrors = [err69];
}
else {
vErrors.push(err69);
}
errors++;
}
if((typeof data53 == "number") && (isFinite(data53))){
if(data53 > 31 || isNaN(data53)){
const err70 = {instancePath:instancePath+"/markMasqBit",schemaPath:"#/properties/markMasqBit/maximum",keyword:"maximum",params:{comparison: "<=", limit: 31},message:"must be <= 31",schema:31,parentSchema:schema22.properties.markMasqBit,data:data53};
if(vErrors === null){
vErrors = [err70];
}
else {
vErrors.push(err70);
}
errors++;
}
if(data53 < 0 || isNaN(data53)){
const err71 = {instancePath:instancePath+"/markMasqBit",schemaPath:"#/properties/markMasqBit/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.markMasqBit,data:data53};
if(vErrors === null){
vErrors = [err71];
}
else {
vErrors.push(err71);
}
errors++;
}
}
}
if(data.externalSetMarkChain !== undefined){
let data54 = data.externalSetMarkChain;
if((typeof data54 !== "string") && (data54 !== null)){
const err72 = {instancePath:instancePath+"/externalSetMarkChain",schemaPath:"#/properties/externalSetMarkChain/type",keyword:"type",params:{type: schema22.properties.externalSetMarkChain.type},message:"must be string,null",schema:schema22.properties.externalSetMarkChain.type,parentSchema:schema22.properties.externalSetMarkChain,data:data54};
if(vErrors === null){
vErrors = [err72];
}
else {
vErrors.push(err72);
}
errors++;
}
if(typeof data54 === "string"){
if(!pattern4.test(data54)){
const err73 = {instancePath:instancePath+"/externalSetMarkChain",schemaPath:"#/properties/externalSetMarkChain/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9_.-]{0,28}$"},message:"must match pattern \""+"^[A-Za-z0-9_.-]{0,28}$"+"\"",schema:"^[A-Za-z0-9_.-]{0,28}$",parentSchema:schema22.properties.externalSetMarkChain,data:data54};
if(vErrors === null){
vErrors = [err73];
}
else {
vErrors.push(err73);
}
errors++;
}
}
}
if(data.conditionsV4 !== undefined){
let data55 = data.conditionsV4;
if((!(Array.isArray(data55))) && (data55 !== null)){
const err74 = {instancePath:instancePath+"/conditionsV4",schemaPath:"#/properties/conditionsV4/type",keyword:"type",params:{type: schema22.properties.conditionsV4.type},message:"must be array,null",schema:schema22.properties.conditionsV4.type,parentSchema:schema22.properties.conditionsV4,data:data55};
if(vErrors === null){
vErrors = [err74];
}
else {
vErrors.push(err74);
}
errors++;
}
if(Array.isArray(data55)){
const len4 = data55.length;
for(let i4=0; i4<len4; i4++){
let data56 = data55[i4];
if(typeof data56 !== "string"){
const err75 = {instancePath:instancePath+"/conditionsV4/" + i4,schemaPath:"#/properties/conditionsV4/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.conditionsV4.items.type,parentSchema:schema22.properties.conditionsV4.items,data:data56};
if(vErrors === null){
vErrors = [err75];
}
else {
vErrors.push(err75);
}
errors++;
}
}
}
}
if(data.conditionsV6 !== undefined){
let data57 = data.conditionsV6;
if((!(Array.isArray(data57))) && (data57 !== null)){
const err76 = {instancePath:instancePath+"/conditionsV6",schemaPath:"#/properties/conditionsV6/type",keyword:"type",params:{type: schema22.properties.conditionsV6.type},message:"must be array,null",schema:schema22.properties.conditionsV6.type,parentSchema:schema22.properties.conditionsV6,data:data57};
if(vErrors === null){
vErrors = [err76];
}
else {
vErrors.push(err76);
}
errors++;
}
if(Array.isArray(data57)){
const len5 = data57.length;
for(let i5=0; i5<len5; i5++){
let data58 = data57[i5];
if(typeof data58 !== "string"){
const err77 = {instancePath:instancePath+"/conditionsV6/" + i5,schemaPath:"#/properties/conditionsV6/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.conditionsV6.items.type,parentSchema:schema22.properties.conditionsV6.items,data:data58};
if(vErrors === null){
vErrors = [err77];
}
else {
vErrors.push(err77);
}
errors++;
}
}
}
}
if(data.backend !== undefined){
let data59 = data.backend;
if((typeof data59 !== "string") && (data59 !== null)){
const err78 = {instancePath:instancePath+"/backend",schemaPath:"#/properties/backend/type",keyword:"type",params:{type: schema22.properties.backend.type},message:"must be string,null",schema:schema22.properties.backend.type,parentSchema:schema22.properties.backend,data:data59};
if(vErrors === null){
vErrors = [err78];
}
else {
vErrors.push(err78);
}
errors++;
}
}
if(data.ingressRate !== undefined){
let data60 = data.ingressRate;
if((!(((typeof data60 == "number") && (!(data60 % 1) && !isNaN(data60))) && (isFinite(data60)))) && (data60 !== null)){
const err79 = {instancePath:instancePath+"/ingressRate",schemaPath:"#/properties/ingressRate/type",keyword:"type",params:{type: schema22.properties.ingressRate.type},message:"must be integer,null",schema:schema22.properties.ingressRate.type,parentSchema:schema22.properties.ingressRate,data:data60};
if(vErrors === null){
vErrors = [err79];
}
else {
vErrors.push(err79);
}
errors++;
}
if((typeof data60 == "number") && (isFinite(data60))){
if(data60 < 0 || isNaN(data60)){
const err80 = {instancePath:instancePath+"/ingressRate",schemaPath:"#/properties/ingressRate/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.ingressRate,data:data60};
if(vErrors === null){
vErrors = [err80];
}
else {
vErrors.push(err80);
}
errors++;
}
}
}
if(data.ingressBurst !== undefined){
let data61 = data.ingressBurst;
if((!(((typeof data61 == "number") && (!(data61 % 1) && !isNaN(data61))) && (isFinite(data61)))) && (data61 !== null)){
const err81 = {instancePath:instancePath+"/ingressBurst",schemaPath:"#/properties/ingressBurst/type",keyword:"type",params:{type: schema22.properties.ingressBurst.type},message:"must be integer,null",schema:schema22.properties.ingressBurst.type,parentSchema:schema22.properties.ingressBurst,data:data61};
if(vErrors === null){
vErrors = [err81];
}
else {
vErrors.push(err81);
}
errors++;
}
if((typeof data61 == "number") && (isFinite(data61))){
if(data61 < 0 || isNaN(data61)){
const err82 = {instancePath:instancePath+"/ingressBurst",schemaPath:"#/properties/ingressBurst/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.ingressBurst,data:data61};
if(vErrors === null){
vErrors = [err82];
}
else {
vErrors.push(err82);
}
errors++;
}
}
}
if(data.egressRate !== undefined){
let data62 = data.egressRate;
if((!(((typeof data62 == "number") && (!(data62 % 1) && !isNaN(data62))) && (isFinite(data62)))) && (data62 !== null)){
const err83 = {instancePath:instancePath+"/egressRate",schemaPath:"#/properties/egressRate/type",keyword:"type",params:{type: schema22.properties.egressRate.type},message:"must be integer,null",schema:schema22.properties.egressRate.type,parentSchema:schema22.properties.egressRate,data:data62};
if(vErrors === null){
vErrors = [err83];
}
else {
vErrors.push(err83);
}
errors++;
}
if((typeof data62 == "number") && (isFinite(data62))){
if(data62 < 0 || isNaN(data62)){
const err84 = {instancePath:instancePath+"/egressRate",schemaPath:"#/properties/egressRate/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.egressRate,data:data62};
if(vErrors === null){
vErrors = [err84];
}
else {
vErrors.push(err84);
}
errors++;
}
}
}
if(data.egressBurst !== undefined){
let data63 = data.egressBurst;
if((!(((typeof data63 == "number") && (!(data63 % 1) && !isNaN(data63))) && (isFinite(data63)))) && (data63 !== null)){
const err85 = {instancePath:instancePath+"/egressBurst",schemaPath:"#/properties/egressBurst/type",keyword:"type",params:{type: schema22.properties.egressBurst.type},message:"must be integer,null",schema:schema22.properties.egressBurst.type,parentSchema:schema22.properties.egressBurst,data:data63};
if(vErrors === null){
vErrors = [err85];
}
else {
vErrors.push(err85);
}
errors++;
}
if((typeof data63 == "number") && (isFinite(data63))){
if(data63 < 0 || isNaN(data63)){
const err86 = {instancePath:instancePath+"/egressBurst",schemaPath:"#/properties/egressBurst/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.egressBurst,data:data63};
if(vErrors === null){
vErrors = [err86];
}
else {
vErrors.push(err86);
}
errors++;
}
}
}
if(data.mtu !== undefined){
let data64 = data.mtu;
if(!(((typeof data64 == "number") && (!(data64 % 1) && !isNaN(data64))) && (isFinite(data64)))){
const err87 = {instancePath:instancePath+"/mtu",schemaPath:"#/properties/mtu/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.mtu.type,parentSchema:schema22.properties.mtu,data:data64};
if(vErrors === null){
vErrors = [err87];
}
else {
vErrors.push(err87);
}
errors++;
}
if((typeof data64 == "number") && (isFinite(data64))){
if(data64 > 65535 || isNaN(data64)){
const err88 = {instancePath:instancePath+"/mtu",schemaPath:"#/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema22.properties.mtu,data:data64};
if(vErrors === null){
vErrors = [err88];
}
else {
vErrors.push(err88);
}
errors++;
}
if(data64 < 0 || isNaN(data64)){
const err89 = {instancePath:instancePath+"/mtu",schemaPath:"#/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.mtu,data:data64};
if(vErrors === null){
vErrors = [err89];
}
else {
vErrors.push(err89);
}
errors++;
}
}
}
if(data.hairpinMode !== undefined){
let data65 = data.hairpinMode;
if(typeof data65 !== "boolean"){
const err90 = {instancePath:instancePath+"/hairpinMode",schemaPath:"#/properties/hairpinMode/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.hairpinMode.type,parentSchema:schema22.properties.hairpinMode,data:data65};
if(vErrors === null){
vErrors = [err90];
}
else {
vErrors.push(err90);
}
errors++;
}
}
if(data.promiscMode !== undefined){
let data66 = data.promiscMode;
if(typeof data66 !== "boolean"){
const err91 = {instancePath:instancePath+"/promiscMode",schemaPath:"#/properties/promiscMode/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.promiscMode.type,parentSchema:schema22.properties.promiscMode,data:data66};
if(vErrors === null){
vErrors = [err91];
}
else {
vErrors.push(err91);
}
errors++;
}
}
if(data.vlan !== undefined){
let data67 = data.vlan;
if(!(((typeof data67 == "number") && (!(data67 % 1) && !isNaN(data67))) && (isFinite(data67)))){
const err92 = {instancePath:instancePath+"/vlan",schemaPath:"#/properties/vlan/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.vlan.type,parentSchema:schema22.properties.vlan,data:data67};
if(vErrors === null){
vErrors = [err92];
}
else {
vErrors.push(err92);
}
errors++;
}
if((typeof data67 == "number") && (isFinite(data67))){
if(data67 > 4094 || isNaN(data67)){
const err93 = {instancePath:instancePath+"/vlan",schemaPath:"#/properties/vlan/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema22.properties.vlan,data:data67};
if(vErrors === null){
vErrors = [err93];
}
else {
vErrors.push(err93);
}
errors++;
}
if(data67 < 0 || isNaN(data67)){
const err94 = {instancePath:instancePath+"/vlan",schemaPath:"#/properties/vlan/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema22.properties.vlan,data:data67};
if(vErrors === null){
vErrors = [err94];
}
else {
vErrors.push(err94);
}
errors++;
}
}
}
if(data.vlanTrunk !== undefined){
let data68 = data.vlanTrunk;
if(Array.isArray(data68)){
const len6 = data68.length;
for(let i6=0; i6<len6; i6++){
let data69 = data68[i6];
if(data69 && typeof data69 == "object" && !Array.isArray(data69)){
for(const key3 in data69){
if(!(((key3 === "id") || (key3 === "minID")) || (key3 === "maxID"))){
const err95 = {instancePath:instancePath+"/vlanTrunk/" + i6,schemaPath:"#/properties/vlanTrunk/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties",schema:false,parentSchema:schema22.properties.vlanTrunk.items,data:data69};
if(vErrors === null){
vErrors = [err95];
}
else {
vErrors.push(err95);
}
errors++;
}
}
if(data69.id !== undefined){
let data70 = data69.id;
if(!(((typeof data70 == "number") && (!(data70 % 1) && !isNaN(data70))) && (isFinite(data70)))){
const err96 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/id",schemaPath:"#/properties/vlanTrunk/items/properties/id/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.vlanTrunk.items.properties.id.type,parentSchema:schema22.properties.vlanTrunk.items.properties.id,data:data70};
if(vErrors === null){
vErrors = [err96];
}
else {
vErrors.push(err96);
}
errors++;
}
if((typeof data70 == "number") && (isFinite(data70))){
if(data70 > 4094 || isNaN(data70)){
const err97 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/id",schemaPath:"#/properties/vlanTrunk/items/properties/id/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema22.properties.vlanTrunk.items.properties.id,data:data70};
if(vErrors === null){
vErrors = [err97];
}
else {
vErrors.push(err97);
}
errors++;
}
if(data70 < 1 || isNaN(data70)){
const err98 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/id",schemaPath:"#/properties/vlanTrunk/items/properties/id/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema22.properties.vlanTrunk.items.properties.id,data:data70};
if(vErrors === null){
vErrors = [err98];
}
else {
vErrors.push(err98);
}
errors++;
}
}
}
if(data69.minID !== undefined){
let data71 = data69.minID;
if(!(((typeof data71 == "number") && (!(data71 % 1) && !isNaN(data71))) && (isFinite(data71)))){
const err99 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/minID",schemaPath:"#/properties/vlanTrunk/items/properties/minID/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.vlanTrunk.items.properties.minID.type,parentSchema:schema22.properties.vlanTrunk.items.properties.minID,data:data71};
if(vErrors === null){
vErrors = [err99];
}
else {
vErrors.push(err99);
}
errors++;
}
if((typeof data71 == "number") && (isFinite(data71))){
if(data71 > 4094 || isNaN(data71)){
const err100 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/minID",schemaPath:"#/properties/vlanTrunk/items/properties/minID/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema22.properties.vlanTrunk.items.properties.minID,data:data71};
if(vErrors === null){
vErrors = [err100];
}
else {
vErrors.push(err100);
}
errors++;
}
if(data71 < 1 || isNaN(data71)){
const err101 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/minID",schemaPath:"#/properties/vlanTrunk/items/properties/minID/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema22.properties.vlanTrunk.items.properties.minID,data:data71};
if(vErrors === null){
vErrors = [err101];
}
else {
vErrors.push(err101);
}
errors++;
}
}
}
if(data69.maxID !== undefined){
let data72 = data69.maxID;
if(!(((typeof data72 == "number") && (!(data72 % 1) && !isNaN(data72))) && (isFinite(data72)))){
const err102 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/maxID",schemaPath:"#/properties/vlanTrunk/items/properties/maxID/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema22.properties.vlanTrunk.items.properties.maxID.type,parentSchema:schema22.properties.vlanTrunk.items.properties.maxID,data:data72};
if(vErrors === null){
vErrors = [err102];
}
else {
vErrors.push(err102);
}
errors++;
}
if((typeof data72 == "number") && (isFinite(data72))){
if(data72 > 4094 || isNaN(data72)){
const err103 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/maxID",schemaPath:"#/properties/vlanTrunk/items/properties/maxID/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema22.properties.vlanTrunk.items.properties.maxID,data:data72};
if(vErrors === null){
vErrors = [err103];
}
else {
vErrors.push(err103);
}
errors++;
}
if(data72 < 1 || isNaN(data72)){
const err104 = {instancePath:instancePath+"/vlanTrunk/" + i6+"/maxID",schemaPath:"#/properties/vlanTrunk/items/properties/maxID/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema22.properties.vlanTrunk.items.properties.maxID,data:data72};
if(vErrors === null){
vErrors = [err104];
}
else {
vErrors.push(err104);
}
errors++;
}
}
}
}
else {
const err105 = {instancePath:instancePath+"/vlanTrunk/" + i6,schemaPath:"#/properties/vlanTrunk/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema22.properties.vlanTrunk.items.type,parentSchema:schema22.properties.vlanTrunk.items,data:data69};
if(vErrors === null){
vErrors = [err105];
}
else {
vErrors.push(err105);
}
errors++;
}
}
}
else {
const err106 = {instancePath:instancePath+"/vlanTrunk",schemaPath:"#/properties/vlanTrunk/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema22.properties.vlanTrunk.type,parentSchema:schema22.properties.vlanTrunk,data:data68};
if(vErrors === null){
vErrors = [err106];
}
else {
vErrors.push(err106);
}
errors++;
}
}
if(data.preserveDefaultVlan !== undefined){
let data73 = data.preserveDefaultVlan;
if(typeof data73 !== "boolean"){
const err107 = {instancePath:instancePath+"/preserveDefaultVlan",schemaPath:"#/properties/preserveDefaultVlan/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.preserveDefaultVlan.type,parentSchema:schema22.properties.preserveDefaultVlan,data:data73};
if(vErrors === null){
vErrors = [err107];
}
else {
vErrors.push(err107);
}
errors++;
}
}
if(data.macspoofchk !== undefined){
let data74 = data.macspoofchk;
if(typeof data74 !== "boolean"){
const err108 = {instancePath:instancePath+"/macspoofchk",schemaPath:"#/properties/macspoofchk/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.macspoofchk.type,parentSchema:schema22.properties.macspoofchk,data:data74};
if(vErrors === null){
vErrors = [err108];
}
else {
vErrors.push(err108);
}
errors++;
}
}
if(data.spoofGuard !== undefined){
let data75 = data.spoofGuard;
if(!((((data75 === true) || (data75 === false)) || (data75 === "on")) || (data75 === "off"))){
const err109 = {instancePath:instancePath+"/spoofGuard",schemaPath:"#/properties/spoofGuard/enum",keyword:"enum",params:{allowedValues: schema22.properties.spoofGuard.enum},message:"must be equal to one of the allowed values",schema:schema22.properties.spoofGuard.enum,parentSchema:schema22.properties.spoofGuard,data:data75};
if(vErrors === null){
vErrors = [err109];
}
else {
vErrors.push(err109);
}
errors++;
}
}
if(data.enabledad !== undefined){
let data76 = data.enabledad;
if(typeof data76 !== "boolean"){
const err110 = {instancePath:instancePath+"/enabledad",schemaPath:"#/properties/enabledad/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.enabledad.type,parentSchema:schema22.properties.enabledad,data:data76};
if(vErrors === null){
vErrors = [err110];
}
else {
vErrors.push(err110);
}
errors++;
}
}
if(data.ipv6 !== undefined){
let data77 = data.ipv6;
if(!(((data77 === "auto") || (data77 === "on")) || (data77 === "off"))){
const err111 = {instancePath:instancePath+"/ipv6",schemaPath:"#/properties/ipv6/enum",keyword:"enum",params:{allowedValues: schema22.properties.ipv6.enum},message:"must be equal to one of the allowed values",schema:schema22.properties.ipv6.enum,parentSchema:schema22.properties.ipv6,data:data77};
if(vErrors === null){
vErrors = [err111];
}
else {
vErrors.push(err111);
}
errors++;
}
}
if(data.disableContainerInterface !== undefined){
let data78 = data.disableContainerInterface;
if(typeof data78 !== "boolean"){
const err112 = {instancePath:instancePath+"/disableContainerInterface",schemaPath:"#/properties/disableContainerInterface/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.disableContainerInterface.type,parentSchema:schema22.properties.disableContainerInterface,data:data78};
if(vErrors === null){
vErrors = [err112];
}
else {
vErrors.push(err112);
}
errors++;
}
}
if(data.portIsolation !== undefined){
let data79 = data.portIsolation;
if(typeof data79 !== "boolean"){
const err113 = {instancePath:instancePath+"/portIsolation",schemaPath:"#/properties/portIsolation/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.portIsolation.type,parentSchema:schema22.properties.portIsolation,data:data79};
if(vErrors === null){
vErrors = [err113];
}
else {
vErrors.push(err113);
}
errors++;
}
}
if(data.dns !== undefined){
let data80 = data.dns;
if(data80 && typeof data80 == "object" && !Array.isArray(data80)){
for(const key4 in data80){
if(!((((key4 === "nameservers") || (key4 === "domain")) || (key4 === "search")) || (key4 === "options"))){
const err114 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key4},message:"must NOT have additional properties",schema:false,parentSchema:schema22.properties.dns,data:data80};
if(vErrors === null){
vErrors = [err114];
}
else {
vErrors.push(err114);
}
errors++;
}
}
if(data80.nameservers !== undefined){
let data81 = data80.nameservers;
if((!(Array.isArray(data81))) && (data81 !== null)){
const err115 = {instancePath:instancePath+"/dns/nameservers",schemaPath:"#/properties/dns/properties/nameservers/type",keyword:"type",params:{type: schema22.properties.dns.properties.nameservers.type},message:"must be array,null",schema:schema22.properties.dns.properties.nameservers.type,parentSchema:schema22.properties.dns.properties.nameservers,data:data81};
if(vErrors === null){
vErrors = [err115];
}
else {
vErrors.push(err115);
}
errors++;
}
if(Array.isArray(data81)){
const len7 = data81.length;
for(let i7=0; i7<len7; i7++){
let data82 = data81[i7];
if(typeof data82 !== "string"){
const err116 = {instancePath:instancePath+"/dns/nameservers/" + i7,schemaPath:"#/properties/dns/properties/nameservers/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.dns.properties.nameservers.items.type,parentSchema:schema22.properties.dns.properties.nameservers.items,data:data82};
if(vErrors === null){
vErrors = [err116];
}
else {
vErrors.push(err116);
}
errors++;
}
}
}
}
if(data80.domain !== undefined){
let data83 = data80.domain;
if(typeof data83 !== "string"){
const err117 = {instancePath:instancePath+"/dns/domain",schemaPath:"#/properties/dns/properties/domain/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.dns.properties.domain.type,parentSchema:schema22.properties.dns.properties.domain,data:data83};
if(vErrors === null){
vErrors = [err117];
}
else {
vErrors.push(err117);
}
errors++;
}
}
if(data80.search !== undefined){
let data84 = data80.search;
if((!(Array.isArray(data84))) && (data84 !== null)){
const err118 = {instancePath:instancePath+"/dns/search",schemaPath:"#/properties/dns/properties/search/type",keyword:"type",params:{type: schema22.properties.dns.properties.search.type},message:"must be array,null",schema:schema22.properties.dns.properties.search.type,parentSchema:schema22.properties.dns.properties.search,data:data84};
if(vErrors === null){
vErrors = [err118];
}
else {
vErrors.push(err118);
}
errors++;
}
if(Array.isArray(data84)){
const len8 = data84.length;
for(let i8=0; i8<len8; i8++){
let data85 = data84[i8];
if(typeof data85 !== "string"){
const err119 = {instancePath:instancePath+"/dns/search/" + i8,schemaPath:"#/properties/dns/properties/search/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.dns.properties.search.items.type,parentSchema:schema22.properties.dns.properties.search.items,data:data85};
if(vErrors === null){
vErrors = [err119];
}
else {
vErrors.push(err119);
}
errors++;
}
}
}
}
if(data80.options !== undefined){
let data86 = data80.options;
if((!(Array.isArray(data86))) && (data86 !== null)){
const err120 = {instancePath:instancePath+"/dns/options",schemaPath:"#/properties/dns/properties/options/type",keyword:"type",params:{type: schema22.properties.dns.properties.options.type},message:"must be array,null",schema:schema22.properties.dns.properties.options.type,parentSchema:schema22.properties.dns.properties.options,data:data86};
if(vErrors === null){
vErrors = [err120];
}
else {
vErrors.push(err120);
}
errors++;
}
if(Array.isArray(data86)){
const len9 = data86.length;
for(let i9=0; i9<len9; i9++){
let data87 = data86[i9];
if(typeof data87 !== "string"){
const err121 = {instancePath:instancePath+"/dns/options/" + i9,schemaPath:"#/properties/dns/properties/options/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.dns.properties.options.items.type,parentSchema:schema22.properties.dns.properties.options.items,data:data87};
if(vErrors === null){
vErrors = [err121];
}
else {
vErrors.push(err121);
}
errors++;
}
}
}
}
}
else {
const err122 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema22.properties.dns.type,parentSchema:schema22.properties.dns,data:data80};
if(vErrors === null){
vErrors = [err122];
}
else {
vErrors.push(err122);
}
errors++;
}
}
if(data.ipam !== undefined){
let data88 = data.ipam;
if((!(data88 && typeof data88 == "object" && !Array.isArray(data88))) && (data88 !== null)){
const err123 = {instancePath:instancePath+"/ipam",schemaPath:"#/properties/ipam/type",keyword:"type",params:{type: schema22.properties.ipam.type},message:"must be object,null",schema:schema22.properties.ipam.type,parentSchema:schema22.properties.ipam,data:data88};
if(vErrors === null){
vErrors = [err123];
}
else {
vErrors.push(err123);
}
errors++;
}
if(data88 && typeof data88 == "object" && !Array.isArray(data88)){
if(data88.type !== undefined){
let data89 = data88.type;
if(typeof data89 === "string"){
if(!pattern5.test(data89)){
const err124 = {instancePath:instancePath+"/ipam/type",schemaPath:"#/properties/ipam/properties/type/pattern",keyword:"pattern",params:{pattern: "^[^/\\s]*$"},message:"must match pattern \""+"^[^/\\s]*$"+"\"",schema:"^[^/\\s]*$",parentSchema:schema22.properties.ipam.properties.type,data:data89};
if(vErrors === null){
vErrors = [err124];
}
else {
vErrors.push(err124);
}
errors++;
}
}
else {
const err125 = {instancePath:instancePath+"/ipam/type",schemaPath:"#/properties/ipam/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema22.properties.ipam.properties.type.type,parentSchema:schema22.properties.ipam.properties.type,data:data89};
if(vErrors === null){
vErrors = [err125];
}
else {
vErrors.push(err125);
}
errors++;
}
}
}
}
if(data.capabilities !== undefined){
let data90 = data.capabilities;
if((!(data90 && typeof data90 == "object" && !Array.isArray(data90))) && (data90 !== null)){
const err126 = {instancePath:instancePath+"/capabilities",schemaPath:"#/properties/capabilities/type",keyword:"type",params:{type: schema22.properties.capabilities.type},message:"must be object,null",schema:schema22.properties.capabilities.type,parentSchema:schema22.properties.capabilities,data:data90};
if(vErrors === null){
vErrors = [err126];
}
else {
vErrors.push(err126);
}
errors++;
}
if(data90 && typeof data90 == "object" && !Array.isArray(data90)){
for(const key5 in data90){
let data91 = data90[key5];
if(typeof data91 !== "boolean"){
const err127 = {instancePath:instancePath+"/capabilities/" + key5.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/capabilities/additionalProperties/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema22.properties.capabilities.additionalProperties.type,parentSchema:schema22.properties.capabilities.additionalProperties,data:data91};
if(vErrors === null){
vErrors = [err127];
}
else {
vErrors.push(err127);
}
errors++;
}
}
}
}
if(data.args !== undefined){
let data92 = data.args;
if((!(data92 && typeof data92 == "object" && !Array.isArray(data92))) && (data92 !== null)){
const err128 = {instancePath:instancePath+"/args",schemaPath:"#/properties/args/type",keyword:"type",params:{type: schema22.properties.args.type},message:"must be object,null",schema:schema22.properties.args.type,parentSchema:schema22.properties.args,data:data92};
if(vErrors === null){
vErrors = [err128];
}
else {
vErrors.push(err128);
}
errors++;
}
}
if(data.runtimeConfig !== undefined){
let data93 = data.runtimeConfig;
if((!(data93 && typeof data93 == "object" && !Array.isArray(data93))) && (data93 !== null)){
const err129 = {instancePath:instancePath+"/runtimeConfig",schemaPath:"#/properties/runtimeConfig/type",keyword:"type",params:{type: schema22.properties.runtimeConfig.type},message:"must be object,null",schema:schema22.properties.runtimeConfig.type,parentSchema:schema22.properties.runtimeConfig,data:data93};
if(vErrors === null){
vErrors = [err129];
}
else {
vErrors.push(err129);
}
errors++;
}
}
if(data.prevResult !== undefined){
let data94 = data.prevResult;
if((!(data94 && typeof data94 == "object" && !Array.isArray(data94))) && (data94 !== null)){
const err130 = {instancePath:instancePath+"/prevResult",schemaPath:"#/properties/prevResult/type",keyword:"type",params:{type: schema22.properties.prevResult.type},message:"must be object,null",schema:schema22.properties.prevResult.type,parentSchema:schema22.properties.prevResult,data:data94};
if(vErrors === null){
vErrors = [err130];
}
else {
vErrors.push(err130);
}
errors++;
}
}
if(data.disableCheck !== undefined){
let data95 = data.disableCheck;
if((typeof data95 !== "boolean") && (typeof data95 !== "string")){
const err131 = {instancePath:instancePath+"/disableCheck",schemaPath:"#/properties/disableCheck/type",keyword:"type",params:{type: schema22.properties.disableCheck.type},message:"must be boolean,string",schema:schema22.properties.disableCheck.type,parentSchema:schema22.properties.disableCheck,data:data95};
if(vErrors === null){
vErrors = [err131];
}
else {
vErrors.push(err131);
}
errors++;
}
}
if(data.disableGC !== undefined){
let data96 = data.disableGC;
if((typeof data96 !== "boolean") && (typeof data96 !== "string")){
const err132 = {instancePath:instancePath+"/disableGC",schemaPath:"#/properties/disableGC/type",keyword:"type",params:{type: schema22.properties.disableGC.type},message:"must be boolean,string",schema:schema22.properties.disableGC.type,parentSchema:schema22.properties.disableGC,data:data96};
if(vErrors === null){
vErrors = [err132];
}
else {
vErrors.push(err132);
}
errors++;
}
}
if(data.loadOnlyInlinedPlugins !== undefined){
let data97 = data.loadOnlyInlinedPlugins;
if((typeof data97 !== "boolean") && (typeof data97 !== "string")){
const err133 = {instancePath:instancePath+"/loadOnlyInlinedPlugins",schemaPath:"#/properties/loadOnlyInlinedPlugins/type",keyword:"type",params:{type: schema22.properties.loadOnlyInlinedPlugins.type},message:"must be boolean,string",schema:schema22.properties.loadOnlyInlinedPlugins.type,parentSchema:schema22.properties.loadOnlyInlinedPlugins,data:data97};
if(vErrors === null){
vErrors = [err133];
}
else {
vErrors.push(err133);
}
errors++;
}
}
}
else {
const err134 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema22.type,parentSchema:schema22,data};
if(vErrors === null){
vErrors = [err134];
}
else {
vErrors.push(err134);
}
errors++;
}
validate17.errors = vErrors;
return errors === 0;
}

